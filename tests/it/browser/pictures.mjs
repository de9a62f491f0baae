// The pictures of the documentation.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { optimised } from "./png.mjs";
import { story } from "./browser.mjs";

await story(async (story) => {
  for (const colorScheme of ["light", "dark"]) {
    const window = await story.open({ colorScheme, viewport: { width: 1280, height: 1200 }, reducedMotion: "reduce" });
    await window.goto(story.page);
    await window.locator("#state", { hasText: "Live" }).waitFor();
    const picture = optimised(await window.screenshot());
    const path = join(story.facts.folder, `dashboard-${colorScheme}.png`);
    writeFileSync(path, picture);
    // It is a picture still.
    await window.context().route("**/picture.png", (route) => route.fulfill({ body: picture, contentType: "image/png" }));
    const size = await window.evaluate(async () => {
      const image = new Image();
      image.src = "/picture.png";
      await image.decode();
      return [image.naturalWidth, image.naturalHeight];
    });
    story.is(path, size, [1280, 1200]);
    await window.context().close();
  }
});
