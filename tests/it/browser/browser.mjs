// What all stories stand on: a browser whose every window is watched, and assertions that are collected, so that a
// story reports all that is wrong and not only the first.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const require = createRequire(new URL("../../../.tools/", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// Runs a story: `tell` gets what it needs, and the process ends with 1 if anything was wrong.
export async function story(tell) {
  const facts = JSON.parse(readFileSync(0, "utf8"));
  const wrong = [];
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  });
  const told = new Story(facts, browser, wrong);
  try {
    await tell(told);
  } catch (error) {
    wrong.push(error.stack);
  }
  await browser.close();
  for (const text of wrong) console.log(`wrong: ${text}`);
  console.log("the story is told");
  process.exitCode = wrong.length === 0 ? 0 : 1;
}

class Story {
  constructor(facts, browser, wrong) {
    Object.assign(this, { facts, browser, wrong, page: `${facts.origin}/debug/performance` });
    // Console messages that a story brings about on purpose.
    this.expected = [];
  }

  // A window of its own, with its own cookies.
  async open(options = {}) {
    const context = await this.browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    context.setDefaultTimeout(30000);
    const window = await context.newPage();
    window.on("console", (message) => {
      const text = message.text();
      if (["error", "warning"].includes(message.type()) && !this.expected.some((one) => text.includes(one))) {
        this.wrong.push(`the console says: ${text}`);
      }
    });
    window.on("pageerror", (error) => this.wrong.push(`an error of the page: ${error.stack}`));
    window.on("dialog", (dialog) => {
      this.wrong.push(`a dialog opened: ${dialog.message()}`);
      dialog.dismiss();
    });
    context.on("request", (request) => {
      if (new URL(request.url()).origin !== this.facts.origin) this.wrong.push(`a request to ${request.url()}`);
    });
    return window;
  }

  is(what, found, wanted) {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
    if (a !== b) this.wrong.push(`${what}: ${a} instead of ${b}`);
  }

  holds(what, condition) {
    if (!condition) this.wrong.push(what);
  }

  has(what, text, part) {
    if (!(text ?? "").includes(part)) this.wrong.push(`${what}: no ${JSON.stringify(part)} in ${JSON.stringify(text)}`);
  }

  // Waits for what comes about by itself.
  async until(what, condition) {
    const end = Date.now() + 30000;
    while (!(await condition())) {
      if (Date.now() > end) throw new Error(`still not: ${what}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  // WCAG 2, levels A and AA, as far as a program can tell.
  async readable(what, window) {
    await window.evaluate(axe);
    const report = await window.evaluate(() =>
      window.axe.run(document, {
        runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
      }),
    );
    for (const { id, help, nodes } of report.violations) {
      for (const node of nodes.slice(0, 3)) {
        this.wrong.push(`${what}: ${id}: ${help}: ${node.html.slice(0, 200)}: ${node.failureSummary}`);
      }
    }
    this.holds(`${what}: nothing was looked at`, report.passes.length > 10);
  }

  async noSidewaysScroll(what, window) {
    const [wide, room] = await window.evaluate(() => {
      const root = document.documentElement;
      return [root.scrollWidth, root.clientWidth];
    });
    this.holds(`${what}: ${wide} pixels wide in ${room}`, wide <= room);
  }
}

// The row of a tenant.
export const row = (window, name) => window.locator("table.tenants tbody tr", { hasText: name });
