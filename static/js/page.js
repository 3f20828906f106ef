/* What every page gets: theme, copy buttons, dialogs, shortcuts, live fragments. Each is a small module. */
import { theme } from "./toggle.js";
import { copyButtons } from "./copy.js";
import { dialogs } from "./dialog.js";
import { shortcuts } from "./keys.js";
import { live } from "./live.js";
import { palette } from "./palette.js";
import { oneSubmit } from "./submit.js";
import { touched } from "./fields.js";

theme();
copyButtons();
dialogs();
shortcuts();
palette();
oneSubmit();
live();
filterWhatWasTyped();
nameButtons();

/* A filter that somebody set before the scripts arrived counts as set now. */
function filterWhatWasTyped() {
  const form = document.querySelector("form[role=search][hx-get]");
  document.addEventListener("DOMContentLoaded", () => {
    if (form && [...form.elements].some(touched)) form.requestSubmit();
  });
}

/* A button that makes something says what it is called. */
function nameButtons() {
  for (const button of document.querySelectorAll("[data-names]")) {
    const field = document.getElementById(button.dataset.names);
    const plain = button.textContent;
    const draw = () => { button.textContent = field.value.trim() ? button.dataset.words.replace("{}", field.value.trim()) : plain; };
    field.addEventListener("input", draw);
    if (field.value) draw();
  }
}

// Tabs and filters may be wider than a phone: the one that is chosen is in sight.
for (const here of document.querySelectorAll(".tabs [aria-current], .seg [aria-current]")) {
  const [bar, one] = [here.parentElement.getBoundingClientRect(), here.getBoundingClientRect()];
  here.parentElement.scrollLeft += one.left + one.width / 2 - bar.left - bar.width / 2;
}
