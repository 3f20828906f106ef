/* Keyboard: section 11 of the design. Single keys only outside fields, and only when the profile allows them. */
import { openPalette } from "./palette.js";

const GO = { b: "/board/", a: "/approvals/", p: "/apps/" };
let waitingForG = 0;

export function shortcuts() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      if (openPalette()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || busy(event.target)) return;
    if (document.documentElement.dataset.shortcuts === "off") return;
    if (single(event.key)) event.preventDefault();
  });
}

function busy(target) {
  return target.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

function single(key) {
  if (Date.now() - waitingForG < 1200 && GO[key]) {
    location.assign(GO[key]);
    return true;
  }
  waitingForG = 0;
  if (key === "g") waitingForG = Date.now();
  else if (key === "j" || key === "k") return row(key === "j" ? 1 : -1);
  else if (key === "/") return focusOn(document.querySelector("[data-filter]"));
  else if (key === "f") return press(document.querySelector("[data-log-follow]"));
  else if (key === "?") location.assign("/help/");
  else return false;
  return true;
}

function row(step) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((item) => item.offsetParent !== null);
  if (!rows.length) return false;
  const at = rows.findIndex((item) => item.contains(document.activeElement));
  const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step))];
  return focusOn(next.querySelector("a, button"));
}

function focusOn(element) {
  element?.focus();
  element?.scrollIntoView({ block: "nearest" });
  return Boolean(element);
}

function press(button) {
  button?.click();
  return Boolean(button);
}
