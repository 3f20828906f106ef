/* Live fragments: one event stream a page carries topics, never content. A topic that moved makes the fragments that
   name it fetch themselves by GET through the ordinary, permission-checked view, and be swapped by id. */
import { connection } from "./connection.js";
import { carry } from "./fields.js";

const JITTER = 300;
const waiting = new Map();
let line = null;

export function live() {
  if (!topics().length) return;
  line = connection({ topics, changed, refreshAll, updated: clock });
  line.open();
  document.addEventListener("focusout", () => setTimeout(retryHeld, 50));
  document.addEventListener("toggle", () => setTimeout(retryHeld, 50), true);
  document.addEventListener("close", () => setTimeout(retryHeld, 50), true);
  document.addEventListener("htmx:afterSettle", (event) => {
    if (!event.target.closest("dialog")) line.reopen();
  });
  document.querySelector("[data-try-now]")?.addEventListener("click", () => line.reopen());
  icon(document.querySelector("[data-icon]"));
}

function fragments() {
  return [...document.querySelectorAll("[data-topic][data-src]")];
}

function topicsOf(element) {
  return element.dataset.topic.split(",");
}

function topics() {
  const own = fragments().flatMap(topicsOf);
  const log = document.querySelector("[data-topic-log]")?.dataset.topicLog;
  return [...new Set(log ? [...own, log] : own)];
}

function changed(topic) {
  document.dispatchEvent(new CustomEvent("relman:topic", { detail: topic }));
  for (const element of fragments()) if (topicsOf(element).includes(topic)) soon(element.dataset.src);
}

function refreshAll() {
  document.dispatchEvent(new CustomEvent("relman:topic", { detail: "*" }));
  for (const url of new Set(fragments().map((element) => element.dataset.src))) soon(url);
}

function soon(url) {
  if (waiting.has(url)) return;
  waiting.set(url, setTimeout(() => {
    waiting.delete(url);
    fetchAndSwap(url);
  }, Math.random() * JITTER));
}

const held = new Set();

async function fetchAndSwap(url) {
  if (fragments().some((element) => element.dataset.src === url && inUse(element))) {
    held.add(url);
    return;
  }
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true", "X-RelMan-Live": "1" } });
    if (answer.status === 401 || answer.status === 403 || (answer.redirected && answer.url.includes("/signin"))) {
      line.end();
      return;
    }
    if (!answer.ok) return;
    swapAll(url, await answer.text());
    clock();
  } catch {
    /* The connection module notices and says so. */
  }
}

function retryHeld() {
  for (const url of [...held]) {
    held.delete(url);
    fetchAndSwap(url);
  }
}

/* In use: it holds the focus, an open details that a person opened (RelMan marks those it draws open), or an open dialog. */
function inUse(element) {
  if (element.contains(document.activeElement) && document.activeElement !== document.body) return true;
  return element.querySelector("details[open]:not([data-drawn])") !== null || document.querySelector("dialog[open]") !== null;
}

function replace(old, fresh) {
  const node = document.adoptNode(fresh);
  carry(old, node);
  old.replaceWith(node);
  return node;
}

function swapAll(url, text) {
  const fresh = new DOMParser().parseFromString(wrapRows(text), "text/html");
  for (const old of fragments().filter((element) => element.dataset.src === url)) swap(old, fresh);
  for (const extra of fresh.querySelectorAll("[data-oob]")) {
    const old = document.getElementById(extra.id);
    if (!old || old.isEqualNode(extra)) continue;
    if (inUse(old)) held.add(url);
    else replace(old, extra);
  }
}

/* A lone table row would be dropped by the parser. */
function wrapRows(text) {
  return text.trimStart().startsWith("<tr") ? `<table><tbody>${text}</tbody></table>` : text;
}

function swap(old, fresh) {
  const next = old.id ? fresh.getElementById(old.id) : null;
  if (!next && "turns" in old.dataset) location.reload(); // the page has become another one: the first release is there
  if (!next || next.isEqualNode(old)) return;
  const before = new Map([...old.querySelectorAll(".tile")].map((tile) => [tile.id, tile.outerHTML]));
  const top = scrollY;
  const node = replace(old, next);
  for (const tile of node.querySelectorAll(".tile")) {
    if (before.has(tile.id) && before.get(tile.id) !== tile.outerHTML) tile.classList.add("changed");
  }
  if (scrollY !== top) scrollTo(0, top);
  count(old.dataset.state, -1);
  count(node.dataset.state, 1);
  icon(node.querySelector("[data-icon]"));
}

/* A row that changed its state is counted under another filter. */
function count(state, by) {
  const place = state && document.querySelector(`[data-count="${CSS.escape(state)}"]`);
  if (place) place.textContent = Math.max(0, Number(place.textContent) + by);
}

/* Title and favicon follow a promotion: people leave the tab open. */
function icon(head) {
  if (!head) return;
  document.title = head.dataset.title;
  const link = document.getElementById("favicon");
  link.dataset.plain ??= link.href;
  link.href = link.dataset[head.dataset.icon] || link.dataset.plain;
  document.getElementById("say").textContent = head.dataset.title.replace(" · RelMan", "");
}

function clock() {
  const zone = document.documentElement.dataset.zone;
  const now = new Date().toLocaleTimeString("en-GB", { timeZone: zone, hour12: false });
  for (const place of document.querySelectorAll("[data-sync-at], [data-lost-at]")) place.textContent = now;
}
