// The pictures of the documentation, and with `all` those by which somebody judges the look.
import { join } from "node:path";
import { story } from "./browser.mjs";

await story(async (story) => {
  for (const colorScheme of ["light", "dark"]) {
    const window = await story.open({ colorScheme, viewport: { width: 1280, height: 940 }, reducedMotion: "reduce" });
    await window.goto(story.page);
    await window.locator("#state", { hasText: "Live" }).waitFor();
    const path = join(story.facts.folder, `dashboard-${colorScheme}.png`);
    await window.screenshot({ path });
    await window.context().close();
  }
});
