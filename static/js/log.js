/* The log: appends what is new, follows, finds, wraps. Lines are links; scrolling up turns following off. */
const KEEP = 2000;
const log = document.querySelector("[data-log]");
if (log) start(log);

function start(root) {
  const parts = {
    root,
    lines: root.querySelector("#log-lines"),
    follow: root.querySelector("[data-log-follow]"),
    fresh: root.querySelector("[data-log-new]"),
    count: root.querySelector("[data-log-count]"),
    loading: false,
    following: Boolean(root.querySelector("[data-log-follow]")),
    unseen: 0,
  };
  parts.follow?.addEventListener("click", () => setFollowing(parts, !parts.following));
  parts.fresh?.addEventListener("click", () => setFollowing(parts, true));
  parts.lines.addEventListener("scroll", () => {
    const atEnd = parts.lines.scrollHeight - parts.lines.scrollTop - parts.lines.clientHeight < 24;
    if (parts.following && !atEnd) setFollowing(parts, false);
    else if (!parts.following && atEnd && parts.unseen) setFollowing(parts, true);
  });
  root.querySelector("[data-log-wrap]")?.addEventListener("click", (event) => wrap(root, event.currentTarget));
  const field = root.querySelector("[data-log-find]");
  field?.addEventListener("input", () => find(parts.lines, field.value));
  document.addEventListener("relman:topic", (event) => {
    if (event.detail === "*" || event.detail === root.dataset.topicLog) load(parts);
  });
  /* Who found a line or scrolled before this file arrived stays there. */
  if (field?.value) find(parts.lines, field.value);
  if (parts.following && (field?.value || parts.lines.scrollTop)) setFollowing(parts, false);
  else if (parts.following && !location.hash) toEnd(parts);
}

async function load(parts) {
  if (parts.loading) return;
  parts.loading = true;
  try {
    const answer = await fetch(`${parts.root.dataset.srcLog}&after=${parts.root.dataset.last}`, { headers: { "HX-Request": "true" } });
    if (answer.ok) append(parts, await answer.text());
  } catch {
    /* The next topic or poll tries again. */
  } finally {
    parts.loading = false;
  }
}

function append(parts, text) {
  const holder = document.createElement("template");
  holder.innerHTML = text;
  const rows = [...holder.content.querySelectorAll("li")].filter((row) => !document.getElementById(row.id));
  if (!rows.length) return;
  parts.root.querySelector("[data-log-empty]")?.remove();
  parts.lines.append(...rows);
  parts.root.dataset.last = rows.at(-1).id.slice(1);
  while (parts.lines.children.length > KEEP) parts.lines.firstElementChild.remove();
  count(parts, parts.lines.children.length, Number(parts.root.dataset.last));
  if (parts.following) toEnd(parts);
  else {
    parts.unseen += rows.length;
    parts.fresh.hidden = false;
    parts.fresh.textContent = `${parts.unseen} new line${parts.unseen === 1 ? "" : "s"}`;
  }
}

function count(parts, here, all) {
  const step = parts.count.textContent.match(/^step \d+, /)?.[0] ?? "";
  parts.count.textContent = `${step}${here < all ? `last ${here} of ` : ""}${all} line${all === 1 ? "" : "s"}`;
}

function setFollowing(parts, on) {
  parts.following = on;
  parts.follow?.setAttribute("aria-pressed", String(on));
  const word = parts.follow?.querySelector("[data-word]");
  if (word) word.textContent = on ? "Following" : "Follow";
  if (!on) return;
  parts.unseen = 0;
  if (parts.fresh) parts.fresh.hidden = true;
  toEnd(parts);
}

function toEnd(parts) {
  parts.lines.scrollTop = parts.lines.scrollHeight;
}

function wrap(root, button) {
  const on = root.classList.toggle("nowrap-l");
  button.setAttribute("aria-pressed", String(!on));
}

function find(lines, words) {
  const wanted = words.trim().toLowerCase();
  let first = null;
  for (const row of lines.children) {
    const hit = wanted !== "" && row.textContent.toLowerCase().includes(wanted);
    row.classList.toggle("hit", hit);
    if (hit && !first) first = row;
  }
  first?.scrollIntoView({ block: "center" });
}
