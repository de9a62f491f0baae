// The door, and a fleet of which nothing is known, by a service whose settings are broken: both readable, and neither of
// them looks well.
import { story } from "./browser.mjs";

await story(async (story) => {
  story.expected.push("status of 401");
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 320]) {
      const what = `${colorScheme}, ${width} pixels`;
      const window = await story.open({ colorScheme, viewport: { width, height: 700 }, reducedMotion: "reduce" });
      await window.goto(story.page);
      await story.readable(`${what}, the login`, window);
      await window.getByLabel("Token").fill("wrong");
      await window.keyboard.press("Enter");
      await window.getByRole("alert").waitFor();
      await story.readable(`${what}, a wrong token`, window);
      await story.noSidewaysScroll(`${what}, the login`, window);
      await window.getByLabel("Token").fill(story.facts.token);
      await window.keyboard.press("Enter");
      await window.waitForURL(story.page);
      await story.until("the round is over", async () => {
        await window.reload();
        return (await window.locator('[data-key="fleet"]').innerText()).includes("There are no active tenants");
      });
      const unread = await window.locator('[data-key="unread"]').innerText();
      story.has("the settings", unread, "The settings cannot be read any more");
      await story.readable(`${what}, idle`, window);
      await story.noSidewaysScroll(`${what}, idle`, window);
      story.is("what looks well", await window.locator("main .well").count(), 0);
      await window.context().close();
    }
  }
});
