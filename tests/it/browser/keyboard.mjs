// Everything by keyboard alone, in an order that follows the page, and never without a visible focus.
import { story } from "./browser.mjs";

await story(async (story) => {
  const window = await story.open();
  await window.goto(story.page);
  const focused = () =>
    window.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      return { text: (element.innerText || element.id || "").trim().split("\n")[0], visible: outlineStyle !== "none" && outlineWidth !== "0px", top: element.getBoundingClientRect().top + scrollY };
    });
  await window.keyboard.press("Tab");
  story.is("the first stop", (await focused()).text, "Skip to the content");
  await window.keyboard.press("Enter");
  story.is("it leads", await window.evaluate(() => document.activeElement.id), "content");
  await window.keyboard.press("Tab");
  story.has("the next stop is in the content", (await focused()).text, "All");

  await window.reload();
  const stops = [];
  for (let at = 0; at < 60; at += 1) {
    await window.keyboard.press("Tab");
    const stop = await focused();
    if (stop.text === "Skip to the content" && at > 0) break;
    if (await window.evaluate(() => document.activeElement === document.body)) break;
    stops.push(stop);
    story.holds(`the focus on ${stop.text} is not visible`, stop.visible);
  }
  const words = stops.map((stop) => stop.text);
  for (const word of ["boothds", "Pause", "q", "Search", "T0", "Lumen Event Hire", "Reset the counts…", "Metrics"]) {
    story.holds(`no stop at ${word}: ${words}`, words.includes(word));
  }
  const below = stops.slice(1).every((stop, at) => at === 0 || stop.top >= stops[at].top - 60);
  story.holds(`the order does not follow the page: ${words}`, below);

  await window.locator("#pause").focus();
  await window.keyboard.press("Space");
  story.is("paused", await window.locator("#pause").getAttribute("aria-pressed"), "true");
  const summary = window.locator("table.tenants summary").first();
  await summary.focus();
  await window.keyboard.press("Enter");
  story.holds("findings unfold", await window.locator(".finding").first().isVisible());
  await window.getByRole("searchbox").focus();
  await window.keyboard.type("t1");
  await window.keyboard.press("Enter");
  await window.waitForURL(/q=t1/);
  story.is("found", await window.locator("table.tenants tbody tr").count(), 1);
});
