// The refresh can be paused, which is remembered, and rests while nobody looks. The clock of the page is ours.
import { renameSync } from "node:fs";
import { row, story } from "./browser.mjs";

await story(async (story) => {
  const window = await story.open();
  let asked = 0;
  window.on("request", (request) => { asked += Number(request.url().includes("fragment=1")); });
  await window.clock.install({ time: new Date() });
  await window.goto(story.page);
  const pause = window.getByRole("button", { name: "Pause" });
  const state = window.locator("#state");
  story.is("it is not pressed", await pause.getAttribute("aria-pressed"), "false");
  await window.clock.runFor(5100);
  await story.until("it asks after five seconds", () => asked === 1);

  await pause.click();
  story.is("it is pressed", await pause.getAttribute("aria-pressed"), "true");
  story.has("it is said", await state.innerText(), "Paused, as of ");
  story.has("it is announced", await window.locator("#say").textContent(), "Paused.");
  const before = asked;
  renameSync(story.facts.file, `${story.facts.file}.away`);
  await window.clock.runFor(120000);
  story.is("questions while it is paused", asked - before, 0);
  story.has("nothing changes", await row(window, "t0").innerText(), "Passed");

  await window.reload();
  story.is("it is remembered", await pause.getAttribute("aria-pressed"), "true");
  await window.clock.runFor(20000);
  story.is("questions after a reload", asked - before, 0);
  await pause.click();
  await story.until("it asks at once", () => asked === before + 1);
  await story.until("it is live", async () => (await state.innerText()) === "Live");

  const look = (hidden) =>
    window.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
  await look(true);
  const unseen = asked;
  await window.clock.runFor(120000);
  story.is("questions while nobody looks", asked - unseen, 0);
  await look(false);
  await story.until("it asks when somebody looks", () => asked === unseen + 1);
});
