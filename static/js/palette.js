/* The palette: the search page's results in a dialog. Without this file its button is a link to that page. */
const box = document.getElementById("palette");
const field = box?.querySelector("input");

export function palette() {
  if (!box) return;
  document.querySelector("[data-search]")?.addEventListener("click", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey && openPalette()) event.preventDefault();
  });
  box.addEventListener("click", (event) => {
    if (event.target === box) box.close();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      // At once: a search field would only empty itself first.
      event.preventDefault();
      box.close();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(step);
  });
  box.querySelector("form").addEventListener("submit", (event) => {
    const first = box.querySelector("#palette-found a");
    if (!first) return;
    event.preventDefault();
    first.click();
  });
}

export function openPalette() {
  if (!box) return false;
  if (!box.open) {
    box.showModal();
    field.dispatchEvent(new CustomEvent("shown"));
  }
  field.focus();
  field.select();
  return true;
}

function move(step) {
  const places = [field, ...box.querySelectorAll("#palette-found a")];
  places.at((places.indexOf(document.activeElement) + step) % places.length).focus();
}
