// Who has the token comes in, and leaves again; who has not stays outside.
import { story } from "./browser.mjs";

await story(async (story) => {
  // Chromium notes every refusal in the console.
  story.expected.push("status of 401");
  const window = await story.open();
  await window.goto(story.page);
  await window.waitForURL(/\/login\?return=/);
  const token = window.getByLabel("Token");
  story.holds("the field has the focus", await token.evaluate((element) => element === document.activeElement));
  story.is("the token is not shown", await token.getAttribute("type"), "password");
  await token.fill("not-the-token");
  await window.getByRole("button", { name: "Log in" }).click();
  story.has("it is refused", await window.getByRole("alert").innerText(), "That is not the token");
  story.is("the field is marked", await window.getByLabel("Token").getAttribute("aria-invalid"), "true");
  story.is("no cookie", (await window.context().cookies()).length, 0);
  story.holds("what was given is not repeated", !(await window.content()).includes("not-the-token"));

  await window.getByLabel("Token").fill(story.facts.token);
  await window.keyboard.press("Enter");
  await window.waitForURL(story.page);
  story.is("the page", await window.locator("h1").innerText(), "Data sources");
  const cookies = await window.context().cookies();
  story.is("cookies", cookies.length, 1);
  const { httpOnly, sameSite, path, value } = cookies[0];
  story.is("its flags", { httpOnly, sameSite, path }, { httpOnly: true, sameSite: "Strict", path: "/" });
  story.holds("it is not the token", !value.includes(story.facts.token));
  story.is("scripts do not see it", await window.evaluate(() => document.cookie), "");
  story.holds("nor is the token kept", !(await window.content()).includes(story.facts.token));

  await window.getByRole("button", { name: "Log out" }).click();
  await window.waitForURL(/\/login$/);
  story.is("the cookie is gone", (await window.context().cookies()).length, 0);
  await window.goto(story.page);
  await window.waitForURL(/\/login\?return=/);

  // A session that ends while the page is open.
  await window.getByLabel("Token").fill(story.facts.token);
  await window.getByRole("button", { name: "Log in" }).click();
  await window.waitForURL(story.page);
  await window.context().clearCookies();
  await window.waitForURL(/\/login\?return=%2Fdebug%2Fperformance/);
});
