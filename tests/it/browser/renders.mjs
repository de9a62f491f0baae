// What somebody sees who opens the page of a fleet that has something of everything.
import { row, story } from "./browser.mjs";

await story(async (story) => {
  const window = await story.open();
  const answer = await window.goto(story.page);
  story.is("the status", answer.status(), 200);
  story.has("the policy", answer.headers()["content-security-policy"], "default-src 'none'");
  story.has("the title", await window.title(), "failed");

  const services = window.locator('section[data-key="services"]');
  story.has("the health", await services.innerText(), "Healthy");
  story.has("the score", await services.locator("svg.ring").getAttribute("aria-label"), "of 100");
  story.has("what lowers it", await services.innerText(), "Moderate cache hit rate: 66.67%");
  story.has("what to do", await services.innerText(), "Consider a longer DATA_SOURCE_CLIENT_CACHE_TTL");
  const fleet = window.locator('section[data-key="fleet"]');
  story.has("the fleet", await fleet.innerText(), "2 of 11 tenants fail");
  story.has("its parts", await fleet.locator("svg.shares").getAttribute("aria-label"), "2 failed, 0 pending, 8 passed, 1 skipped");
  story.is("grades", (await window.locator(".grade h3").allTextContents()).map((text) => text.split(":")[0]), ["Overall", "Caching", "Pooling", "Memory"]);
  for (const [key, letter] of [["overall", "A"], ["caching", "C"], ["pooling", "A"]]) {
    story.is(key, (await window.locator(`[data-key="${key}"] .letter`).textContent()).trim(), letter);
  }
  story.has("the hit rate", await window.locator('[data-key="caching"]').innerText(), "66.67%");
  story.has("the pool", await window.locator('[data-key="pooling"]').innerText(), "5 of 100");
  story.is("services", await window.locator('[data-key="some"] tbody tr').count(), 2);

  story.is("tenants", await window.locator("table.tenants tbody tr").count(), 11);
  const order = await window.locator("table.tenants .result > .badges > .badge").allInnerTexts();
  story.is("the failed come first", order.slice(0, 3).map((word) => word.trim()), ["Failed", "Failed", "Passed"]);
  const failing = row(window, story.facts.failing);
  story.has("why", await failing.innerText(), "the connection was refused");
  story.has("what to do", await failing.innerText(), "is the server running");
  story.holds("its bars are marked", (await failing.locator("svg.spark path.failed").count()) === 1);
  story.has("its bars in words", await failing.locator("svg.spark").getAttribute("aria-label"), "failed");

  const exposed = row(window, story.facts.exposed);
  story.has("row-level security", await exposed.innerText(), "Exposed");
  const finding = exposed.locator("details .finding").first();
  story.holds("findings are folded", !(await finding.isVisible()));
  await exposed.locator("summary").click();
  story.holds("findings unfold", await finding.isVisible());
  story.has("a finding", await exposed.innerText(), "rls.always-true");
  story.has("its mend", await exposed.innerText(), "drop the policy");

  await exposed.locator("th a").click();
  await window.waitForURL(/\/[^/]+\/debug\/performance$/);
  story.is("its page", await window.locator("h1").innerText(), "Lumen Event Hire");
  story.has("its history", await window.locator("svg.history").getAttribute("aria-label"), "none failed");
  story.has("its findings", await window.locator('[data-key="findings"]').innerText(), "rls.foreign-visible");
  await window.getByRole("link", { name: "All tenants" }).click();

  await window.getByRole("searchbox").fill("KIOSK");
  await window.getByRole("button", { name: "Search" }).click();
  await window.waitForURL(/q=KIOSK/);
  story.is("found", await window.locator("table.tenants tbody tr").count(), 1);
  await window.getByRole("link", { name: /^Passed/ }).click();
  await window.waitForURL(/state=passed/);
  story.has("nothing fits", await window.locator(".empty").first().innerText(), "No tenant fits “KIOSK”, passed");
  await window.getByRole("link", { name: "Show all" }).click();
  await window.waitForURL(story.page);

  story.expected.push("404");
  const missing = await window.goto(`${story.facts.origin}/nobody/debug/performance`);
  story.is("a stranger", missing.status(), 404);
  story.has("it is said", await window.locator("main").innerText(), "Not found");
});
