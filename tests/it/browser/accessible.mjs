// Readable by everybody: wide and narrow, in light and dark, on paper; told by axe-core, as far as a program can tell.
import { story } from "./browser.mjs";

await story(async (story) => {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 320]) {
      const what = `${colorScheme}, ${width} pixels`;
      const window = await story.open({ colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" });
      for (const path of ["/debug/performance", `/${story.facts.tenant}/debug/performance`]) {
        await window.goto(story.facts.origin + path);
        await window.evaluate(() => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
        await story.readable(`${what}, ${path}`, window);
        await story.noSidewaysScroll(`${what}, ${path}`, window);
      }
      if (width === 320) {
        const labels = window.locator('[data-key="some"]');
        await window.goto(story.page);
        story.is("a table that scrolls can be reached", await labels.getAttribute("tabindex"), "0");
      }
      story.is("nothing moves", await window.evaluate(() => document.getAnimations().length), 0);
      await window.context().close();
    }
  }
  const window = await story.open();
  await window.goto(story.page);
  await window.emulateMedia({ media: "print" });
  story.holds("buttons are not printed", !(await window.locator("#pause").isVisible()));
  story.holds("findings are", await window.locator(".finding").first().isVisible());
  const missing = await story.open();
  story.expected.push("404");
  await missing.goto(`${story.facts.origin}/nobody/debug/performance`);
  await story.readable("a page that says no", missing);
});
