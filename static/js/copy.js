/* [data-copy]: copies the code beside it, or the text its neighbour names in data-copy-text. */
import { say } from "./say.js";

export function copyButtons() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const beside = button.parentElement.querySelector("[data-copy-text]");
    const text = beside ? beside.dataset.copyText : button.parentElement.querySelector("code").textContent.trim();
    if (await write(text)) {
      button.querySelector("use")?.setAttribute("href", "#i-check");
      setTimeout(() => button.querySelector("use")?.setAttribute("href", "#i-copy"), 1600);
      say("Copied");
    } else {
      say("Your browser does not allow copying. Select the text instead.");
    }
  });
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
