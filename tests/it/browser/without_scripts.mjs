// A snapshot without scripts: everything can be read, and the forms work.
import { story } from "./browser.mjs";

await story(async (story) => {
  const window = await story.open({ javaScriptEnabled: false });
  await window.goto(story.page);
  story.has("when it was made", await window.locator("#state").innerText(), "As of ");
  story.holds("it can be made anew", await window.getByRole("link", { name: "Reload" }).isVisible());
  story.holds("nothing is to be paused", !(await window.locator("#pause").isVisible()));
  story.has("times are dates", await window.locator("table.tenants time").first().innerText(), "UTC");
  story.has("the fleet", await window.locator('[data-key="fleet"]').innerText(), `1 of ${story.facts.tenants} tenants fail`);
  story.is("a page of tenants", await window.locator("table.tenants tbody tr").count(), 50);
  await window.getByRole("link", { name: "Next" }).click();
  await window.waitForURL(/page=2/);
  story.is("the rest", await window.locator("table.tenants tbody tr").count(), story.facts.tenants - 50);
  await window.getByRole("link", { name: /^Failed/ }).click();
  await window.waitForURL(/state=failed/);
  story.is("those that failed", await window.locator("table.tenants tbody tr").count(), 1);
  await window.goto(story.page);
  await window.getByRole("searchbox").fill("t17");
  await window.getByRole("button", { name: "Search" }).click();
  await window.waitForURL(/q=t17/);
  story.is("one is found", await window.locator("table.tenants tbody tr").count(), 1);
  await window.getByRole("link", { name: "Reload" }).click();
  story.is("the whole", await window.locator("table.tenants tbody tr").count(), 50);
});
