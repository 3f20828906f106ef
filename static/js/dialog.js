/* Links with data-dialog open their page as a native dialog. Without this file they are plain links. */
let opener = null;
let coming = "";

export function dialogs() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-dialog]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      opener = link;
      if (coming !== link.href) openPage(link.href);
      return;
    }
    const local = event.target.closest("[data-open]");
    if (local) {
      event.preventDefault();
      opener = local;
      show(document.getElementById(local.dataset.open));
      return;
    }
    const close = event.target.closest("[data-close]");
    const dialog = close?.closest("dialog");
    if (dialog) {
      event.preventDefault();
      dialog.close();
    }
  });
}

async function openPage(url) {
  coming = url;
  try {
    const answer = await fetch(url, { headers: { "HX-Request": "true" } });
    const text = await answer.text();
    if (!answer.ok || answer.redirected || text.includes("<!doctype")) throw new Error("not a dialog");
    const dialog = document.createElement("dialog");
    dialog.className = "sheet wide";
    dialog.innerHTML = text;
    rename(dialog);
    const title = dialog.querySelector("h2[id]");
    if (title) dialog.setAttribute("aria-labelledby", title.id);
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    show(dialog);
  } catch {
    location.assign(url);
  } finally {
    coming = "";
  }
}

/* The page behind may have a form with the same names: a label must not point there. */
function rename(dialog) {
  for (const node of dialog.querySelectorAll("[id]")) node.id = `dlg-${node.id}`;
  for (const name of ["for", "form", "aria-describedby", "aria-labelledby"]) {
    for (const node of dialog.querySelectorAll(`[${name}]`)) {
      node.setAttribute(name, node.getAttribute(name).split(" ").map((id) => `dlg-${id}`).join(" "));
    }
  }
}

function show(dialog) {
  dialog.showModal();
  const fields = dialog.querySelectorAll("textarea, select, input:not([type=hidden]):not([type=radio]), input[type=radio]:checked, button");
  const first = [...fields].find((field) => field.checkVisibility());
  (dialog.querySelector("[autofocus]") ?? first)?.focus();
  dialog.addEventListener("close", () => opener?.focus(), { once: true });
}
