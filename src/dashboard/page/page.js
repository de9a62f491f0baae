// Keeps the page up to date: asks every five seconds for its inner part, and changes what differs and nothing else, so
// that the focus, the scroll position, what is open and what is being typed stay as they are. Asks for nothing while
// the page is paused or out of sight. Without it the page is a snapshot that says all the same.
"use strict";

(() => {
  const PERIOD = 5000; // ms between two questions
  const LIMIT = 10000; // ms that an answer may take
  const KEPT = "boothds.paused";

  const root = document.documentElement;
  const inner = document.getElementById("inner");
  const state = document.getElementById("state");
  const say = document.getElementById("say");
  const pause = document.getElementById("pause");
  const now = Number(document.getElementById("live").dataset.now);
  let ahead = now - Date.now(); // what the server's clock says more than ours, ms
  let shown = now; // the server's time when what is shown was made
  let tag = null; // names what is shown
  let timer = 0;
  let asking = false;
  let lost = null; // why there is no answer
  let paused = false;

  const address = new URL(location.href);
  address.hash = "";
  address.searchParams.set("fragment", "1");

  // Times ------------------------------------------------------------------------------------------------------------

  function long(ms) {
    const seconds = Math.max(0, Math.floor(ms / 1000));
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return `${hours} h ${minutes % 60} min`;
    return `${Math.floor(hours / 24)} days`;
  }

  const words = {
    ago: (ms) => (ms < 60000 ? "just now" : `${long(ms)} ago`),
    in: (ms) => (-ms < 1000 ? "due now" : -ms < 60000 ? "in under 1 min" : `in ${long(-ms)}`),
    for: (ms) => (ms < 60000 ? "for under 1 min" : `for ${long(ms)}`),
  };

  function put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function tick() {
    const at = Date.now() + ahead;
    for (const time of document.querySelectorAll("time[data-time]")) {
      const began = Date.parse(time.dateTime);
      if (!time.title) time.title = time.textContent;
      put(time, words[time.dataset.time](at - began));
    }
    const clock = new Date(shown).toISOString().slice(11, 19) + " UTC";
    if (paused) put(state, `Paused, as of ${clock}`);
    else if (lost) put(state, `${lost}: as of ${clock}, ${long(at - shown)} ago`);
    else put(state, "Live");
    const link = paused ? "paused" : lost ? "lost" : "live";
    if (root.dataset.link !== link) root.dataset.link = link;
  }

  // Differences ------------------------------------------------------------------------------------------------------

  const fits = (have, want) =>
    have.nodeName === want.nodeName && have.id === want.id && have.dataset?.key === want.dataset?.key;

  // What the reader has opened or closed, and what `tick` has written, is not the server's to change.
  const isReaders = (node, name) =>
    (name === "open" && node.nodeName === "DETAILS") || (name === "title" && node.nodeName === "TIME");

  function place(parent, node, before) {
    if (parent.moveBefore && node.isConnected) parent.moveBefore(node, before);
    else parent.insertBefore(node, before);
  }

  function morph(have, want) {
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
      return;
    }
    if (have.isEqualNode(want)) return;
    for (const { name, value } of want.attributes) {
      if (!isReaders(have, name) && have.getAttribute(name) !== value) have.setAttribute(name, value);
    }
    for (const { name } of [...have.attributes]) {
      if (!isReaders(have, name) && !want.hasAttribute(name)) have.removeAttribute(name);
    }
    if (have.nodeName === "TIME") {
      // Its words are `tick`'s.
      if (have.title !== want.textContent) have.title = want.textContent;
      return;
    }
    children(have, want);
  }

  function children(have, want) {
    const keyed = new Map();
    for (const child of have.children) if (child.dataset.key !== undefined) keyed.set(child.dataset.key, child);
    let at = have.firstChild;
    for (const child of [...want.childNodes]) {
      const key = child.dataset?.key;
      const known = key !== undefined ? keyed.get(key) : at && fits(at, child) ? at : null;
      if (!known || !fits(known, child)) {
        have.insertBefore(document.importNode(child, true), at);
        continue;
      }
      if (known === at) at = at.nextSibling;
      else place(have, known, at);
      morph(known, child);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function show(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html").body;
    const before = document.getElementById("verdict").dataset.say;
    const focused = document.activeElement;
    children(inner, fresh);
    const verdict = document.getElementById("verdict").dataset;
    if (verdict.say !== before) put(say, verdict.say);
    document.title = verdict.title;
    if (focused && focused !== document.activeElement && focused !== document.body) {
      (focused.isConnected ? focused : document.getElementById("content")).focus({ preventScroll: true });
    }
  }

  // Questions --------------------------------------------------------------------------------------------------------

  async function ask() {
    const headers = tag ? { "If-None-Match": tag } : {};
    const signal = AbortSignal.timeout(LIMIT);
    const response = await fetch(address, { headers, cache: "no-store", redirect: "error", signal });
    if (response.status === 401) {
      location.assign(`/login?return=${encodeURIComponent(location.pathname)}`);
      return;
    }
    if (response.status !== 304) {
      if (!response.ok) throw new Error(`The server answers ${response.status}`);
      const text = await response.text();
      // A pause that was asked for meanwhile keeps what is shown.
      if (paused) return;
      show(text);
      tag = response.headers.get("ETag");
    }
    const date = Date.parse(response.headers.get("Date") ?? "");
    if (!Number.isNaN(date)) {
      if (Math.abs(date - Date.now() - ahead) > 2000) ahead = date - Date.now();
    }
    shown = Date.now() + ahead;
    if (lost) put(say, "Connected again. The page is up to date.");
    lost = null;
  }

  async function refresh() {
    clearTimeout(timer);
    if (asking || paused || document.hidden) return;
    asking = true;
    try {
      await ask();
    } catch (error) {
      const why = error instanceof TypeError || error.name === "TimeoutError" ? "Connection lost" : error.message;
      if (!lost) put(say, `${why}. The data shown are no longer up to date.`);
      lost = why;
    } finally {
      asking = false;
      tick();
      if (!paused && !document.hidden) timer = setTimeout(refresh, PERIOD);
    }
  }

  function setPaused(is, aloud) {
    paused = is;
    pause.setAttribute("aria-pressed", String(is));
    try {
      sessionStorage.setItem(KEPT, is ? "1" : "");
    } catch {
      // Storage is refused: the pause then ends with the page.
    }
    if (aloud) put(say, is ? "Paused." : "Live again.");
    tick();
    if (!is) refresh();
  }

  let remembered = false;
  try {
    remembered = sessionStorage.getItem(KEPT) === "1";
  } catch {
    // As above.
  }
  document.getElementById("reload").hidden = true;
  pause.hidden = false;
  pause.addEventListener("click", () => setPaused(!paused, true));
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("pageshow", (event) => event.persisted && refresh());
  setInterval(tick, 1000);
  if (remembered) setPaused(true, false);
  tick();
  timer = setTimeout(refresh, PERIOD);
})();
