// The counts begin at zero again, by a form that asks twice, with scripts and without.
import { story } from "./browser.mjs";

await story(async (story) => {
  const window = await story.open({ javaScriptEnabled: story.facts.scripts });
  await window.goto(story.page);
  const caching = window.locator('[data-key="caching"]');
  story.holds("there is a grade", !(await caching.innerText()).includes("Nothing to grade"));
  const button = window.getByRole("button", { name: "Reset the counts" });
  story.holds("the button is behind the question", !(await button.isVisible()));
  await window.locator("summary", { hasText: "Reset" }).click();
  story.has("it says what it does", await window.locator(".reset").innerText(), "cannot be undone");
  await button.click();
  await window.waitForURL(story.page);
  story.has("nothing is graded", await caching.innerText(), "Nothing to grade");
  story.has("hits and misses", await caching.innerText(), "0 / 0");
  story.has("it is idle", await window.locator('[data-key="services"]').innerText(), "Idle");
  story.holds("that does not look well", (await window.locator('[data-key="services"].well').count()) === 0);
});
