// Names that try to be more than names.
import { story } from "./browser.mjs";

await story(async (story) => {
  const window = await story.open({ viewport: { width: 320, height: 800 } });
  await window.goto(story.page);
  const links = window.locator("table.tenants tbody th a");
  story.is("rows", await links.count(), story.facts.names.length + 1);
  const shown = await links.allInnerTexts();
  for (const name of story.facts.names.slice(0, 4)) {
    story.holds(`${name} is not there as text: ${JSON.stringify(shown)}`, shown.includes(name.slice(0, 60)));
  }
  story.holds("direction marks are written out", shown.some((text) => text.includes("\\u{202e}")));
  story.holds("long names are cut", shown.every((text) => text.length < 90));
  await window.locator("th a").nth(0).hover();
  await story.noSidewaysScroll("the page", window);
  // Once through the refresh, too.
  await window.waitForResponse((answer) => answer.url().includes("fragment=1"));
  await window.goto(`${story.page}?q=${encodeURIComponent('"><script>window.hacked = 1</script>')}`);
  story.is("a search is text", await window.getByRole("searchbox").inputValue(), '"><script>window.hacked = 1</script>');
  await window.goto(`${story.page}?q=W`);
  await window.locator("table.tenants tbody th a").first().click();
  await window.waitForURL(/\/[^/]+\/debug\/performance$/);
  await story.noSidewaysScroll("the page of a tenant", window);
  await window.goto(`${story.page}?q=odd`);
  await window.locator("table.tenants tbody th a").first().click();
  await window.waitForURL(/%22%3E%3Cscript/);
  story.is("an odd id", await window.locator("h1").innerText(), "Odd id");
  story.is("what got through", await window.evaluate(() => window.hacked), undefined);
  story.is("elements that came along", await window.locator("main script, main img").count(), 0);
});
