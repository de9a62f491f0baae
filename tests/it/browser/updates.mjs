// The page follows the fleet, and the reader loses nothing: not the focus, not the place, not what is open or typed.
import { renameSync } from "node:fs";
import { row, story } from "./browser.mjs";

await story(async (story) => {
  const { file, tenant, open } = story.facts;
  const window = await story.open({ viewport: { width: 1000, height: 500 } });
  await window.goto(story.page);
  const state = window.locator("#state");
  await story.until("it is live", async () => (await state.innerText()) === "Live");

  const details = row(window, open).locator("details");
  await details.locator("summary").click();
  await window.getByRole("searchbox").pressSequentially("half a wo");
  await row(window, tenant).locator("th a").focus();
  await window.evaluate(() => scrollTo(0, 900));
  // Marks the element itself: one that was made anew would not have it.
  await row(window, tenant).evaluate((element) => { element.mark = "the same"; });
  const scrolled = await window.evaluate(() => scrollY);
  story.has("it passes", await row(window, tenant).innerText(), "Passed");

  renameSync(file, `${file}.away`);
  await story.until("the failure is shown", async () => (await row(window, tenant).innerText()).includes("Failed"));
  story.is("the element", await row(window, tenant).evaluate((element) => element.mark), "the same");
  story.is("the focus", await window.evaluate(() => document.activeElement.closest("tr")?.mark), "the same");
  story.holds("what is open stays open", await details.evaluate((element) => element.open));
  story.is("what is typed", await window.getByRole("searchbox").inputValue(), "half a wo");
  const moved = Math.abs((await window.evaluate(() => scrollY)) - scrolled);
  story.holds(`the page was scrolled by ${moved} pixels`, moved < 200);
  story.has("the order", await window.locator("table.tenants tbody tr").nth(1).innerText(), tenant);
  story.has("it is announced", await window.locator("#say").textContent(), "2 of 14 tenants fail");
  story.has("the title", await window.title(), "(2) failed");
  renameSync(`${file}.away`, file);
  await story.until("it passes again", async () => (await row(window, tenant).innerText()).includes("Passed"));
  story.has("its history has failed tests", await row(window, tenant).locator("svg.spark").getAttribute("aria-label"), "failed");

  story.expected.push("ERR_INTERNET_DISCONNECTED");
  await window.context().setOffline(true);
  await story.until("the loss is said", async () => (await state.innerText()).includes("Connection lost"));
  story.has("it is announced", await window.locator("#say").textContent(), "Connection lost. The data shown are no longer up to date.");
  story.has("how old it is", await state.innerText(), "as of");
  await window.context().setOffline(false);
  await story.until("it is back", async () => (await state.innerText()) === "Live");
  story.has("that is announced", await window.locator("#say").textContent(), "Connected again");
});
