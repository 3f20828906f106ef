/* Upload with progress in bytes and time. Without this file the form posts itself. */
import { manifestOf } from "./manifest.js";

const form = document.querySelector("[data-upload]");
if (form) start(form);

function start(form) {
  const file = form.querySelector("input[type=file]");
  const drop = form.querySelector("[data-drop]");
  file.addEventListener("change", () => name(form, file));
  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => over(event, drop, true));
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, (event) => over(event, drop, false));
  drop.addEventListener("drop", (event) => {
    file.files = event.dataTransfer.files;
    name(form, file);
  });
  form.querySelector("[data-add-change]").addEventListener("click", (event) => addRow(event, form));
  form.addEventListener("click", (event) => removeRow(event, form));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    send(form, file);
  });
  // Chosen before this file arrived, or kept by the browser over a reload.
  if (file.files.length) name(form, file);
}

function over(event, drop, on) {
  event.preventDefault();
  drop.classList.toggle("over", on);
}

function name(form, file) {
  const chosen = file.files[0];
  form.querySelector("[data-file-name]").textContent = chosen ? `${chosen.name}, ${bytes(chosen.size)}` : "";
  const version = form.querySelector("[name=version]");
  const found = chosen?.name.match(/(\d+\.\d+\.\d+[0-9A-Za-z.+-]*?)\.(tar\.gz|tgz|zip)$/);
  if (found && version && !version.value) version.value = found[1];
  form.querySelector("[data-again]")?.remove();
  if (chosen) read(form, chosen);
}

/* What the archive's manifest says, judged by RelMan before the archive is sent. */
async function read(form, file) {
  const place = document.querySelector("[data-manifest-place]");
  place.hidden = true;
  const manifest = await manifestOf(file);
  if (manifest === null || form.querySelector("input[type=file]").files[0] !== file) return;
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const body = new URLSearchParams({ manifest, csrfmiddlewaretoken: token });
  const answer = await fetch(form.dataset.manifest, { method: "POST", body }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#manifest");
  place.replaceChildren(document.adoptNode(fresh));
  place.hidden = false;
}

/* One more row, empty, in place: without scripts the button asks RelMan for it. */
function addRow(event, form) {
  event.preventDefault();
  const list = form.querySelector("[data-changes]");
  const row = list.lastElementChild.cloneNode(true);
  for (const field of row.querySelectorAll("input, select")) field.value = "";
  list.append(row);
  numbered(list);
  row.querySelector("input").focus();
}

function removeRow(event, form) {
  const button = event.target.closest("[data-remove-change]");
  if (!button) return;
  event.preventDefault();
  const list = form.querySelector("[data-changes]");
  const row = button.closest("li");
  const next = row.nextElementSibling || row.previousElementSibling;
  if (next) row.remove();
  else for (const field of row.querySelectorAll("input, select")) field.value = "";
  numbered(list);
  (next || row).querySelector("input").focus();
}

/* Names for those who hear the page, and what each button means without scripts. */
function numbered(list) {
  [...list.children].forEach((row, at) => {
    for (const name of row.querySelectorAll(".sr")) name.textContent = name.textContent.replace(/\d+$/, at + 1);
    const button = row.querySelector("[data-remove-change]");
    button.value = at;
    button.setAttribute("aria-label", `Remove change ${at + 1}`);
  });
}

function send(form, file) {
  const place = form.querySelector("[data-progress]");
  const bar = place.querySelector("progress");
  const said = place.querySelector("[data-said]");
  const button = form.querySelector(".btn.primary[type=submit]");
  const request = new XMLHttpRequest();
  const began = Date.now();
  place.hidden = false;
  place.querySelector("[data-name]").textContent = file.files[0]?.name || "";
  button.disabled = true;
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    bar.value = (event.loaded / event.total) * 100;
    said.textContent = event.loaded < event.total ? left(event, began) : "Uploaded. RelMan checks the archive.";
  });
  request.addEventListener("load", () => {
    removeEventListener("beforeunload", hold);
    if (request.responseURL && new URL(request.responseURL).pathname !== location.pathname) location.assign(request.responseURL);
    else redraw(request.responseText);
  });
  request.addEventListener("error", () => stopped(form, "The connection broke. Nothing was kept; try again."));
  request.addEventListener("abort", () => stopped(form, "Stopped. Nothing was kept."));
  place.querySelector("[data-stop]").addEventListener("click", () => request.abort(), { once: true });
  addEventListener("beforeunload", hold);
  request.open("POST", form.action || location.href);
  request.send(new FormData(form));
}

function hold(event) {
  event.preventDefault();
}

function stopped(form, text) {
  removeEventListener("beforeunload", hold);
  form.querySelector("[data-said]").textContent = text;
  form.querySelector(".btn.primary[type=submit]").disabled = false;
}

/* The answer is this page again, with what was wrong: draw it in place and start anew. */
function redraw(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("#main");
  const main = document.getElementById("main");
  if (!fresh) {
    location.reload();
    return;
  }
  const kept = main.querySelector("[data-upload] input[type=file]")?.files;
  main.replaceWith(document.adoptNode(fresh));
  const form = document.querySelector("[data-upload]");
  if (form) start(form);
  // An archive that was refused is packed anew; one whose form was refused is still the right one.
  if (form && kept?.length && !form.querySelector("[data-refused]")) {
    form.querySelector("input[type=file]").files = kept;
    name(form, form.querySelector("input[type=file]"));
  }
  document.querySelector("[role=alert]")?.scrollIntoView({ block: "center" });
}

function left(event, began) {
  const rate = event.loaded / Math.max(1, Date.now() - began);
  const seconds = Math.round((event.total - event.loaded) / rate / 1000);
  const time = seconds > 90 ? `${Math.round(seconds / 60)} min` : `${seconds} s`;
  return `${bytes(event.loaded)} of ${bytes(event.total)}, about ${time}`;
}

function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  const units = ["kB", "MB", "GB"];
  let at = -1;
  while (count >= 1000 && at < 2) {
    count /= 1000;
    at += 1;
  }
  return `${count < 10 ? count.toFixed(1) : Math.round(count)} ${units[at]}`;
}
