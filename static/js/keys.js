/* Keyboard. Single keys only outside fields, and only when the profile allows them. */
import { openPalette } from "./palette.js";

const GO = { b: "/board/", a: "/approvals/", p: "/apps/" };
const SECOND_KEY = 2000; // milliseconds
let pressedG = -Infinity;

export function shortcuts() {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      if (openPalette()) event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || busy(event.target)) return;
    if (document.documentElement.dataset.shortcuts === "off") return;
    // By the moments of the keys themselves: a busy page may hear of both late.
    if (single(event.key, event.timeStamp)) event.preventDefault();
  });
}

function busy(target) {
  return target.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

function single(key, moment) {
  if (moment - pressedG < SECOND_KEY && GO[key]) {
    location.assign(GO[key]);
    return true;
  }
  pressedG = key === "g" ? moment : -Infinity;
  if (key === "g") return true;
  if (key === "j" || key === "k") return row(key === "j" ? 1 : -1);
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
