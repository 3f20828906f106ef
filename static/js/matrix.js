/* The matrix of roles as one edits it: asks the server what the changes mean. Without this the form does it in two steps. */
const WAIT = 250;
let asked = 0;
let timer = 0;

const form = () => document.getElementById("rmx-form");

async function ask(extra) {
  const ticket = ++asked;
  const data = new FormData(form());
  for (const [name, value] of Object.entries(extra)) data.set(name, value);
  const response = await fetch(form().action, { method: "POST", body: data, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (!page.getElementById("rmx-form")) throw new Error(`${response.status} without the form`);
  return ticket === asked ? page : null;
}

function say() {
  const bar = document.getElementById("rmx-bar");
  const bad = bar.querySelector("li.bad");
  document.getElementById("rmx-said").textContent =
    document.getElementById("changes").textContent + (bad ? `. ${bad.textContent}` : "");
}

/* Only what the server computes is replaced: fields, focus and open details stay as they are. */
function patch(page) {
  const sure = form().querySelector("[name=sure]")?.checked;
  for (const part of form().querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh) continue;
    part.className = fresh.className;
    part.innerHTML = fresh.innerHTML;
  }
  const box = form().querySelector("[name=sure]");
  if (box && sure) box.checked = true;
  say();
}

/* The whole form: after Add and Undo, which change rows. */
function swap(page, focus) {
  form().innerHTML = page.getElementById("rmx-form").innerHTML;
  const target = focus ? form().querySelector(focus) : null;
  const adder = target?.closest("details");
  if (adder) adder.open = true;
  (target ?? document.getElementById("changes")).focus({ preventScroll: !target });
  say();
}

/* What the server would say is not known: nothing is saved blindly, and the form is as it was. */
function lost() {
  const text = "RelMan does not answer, or you were signed out. Your changes are still here, nothing is saved.";
  document.getElementById("changes").textContent = text;
  document.getElementById("rmx-bar").classList.remove("empty");
  document.getElementById("rmx-said").textContent = text;
}

async function preview() {
  const button = form().querySelector(".go");
  button?.setAttribute("aria-busy", "true");
  try {
    const page = await ask({ do: "review" });
    if (page) patch(page);
  } catch {
    lost();
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(preview, WAIT);
}

/* Any right needs View: the boxes show what would be saved. */
function followView(box) {
  const [role, phase, right] = box.value.split(".");
  const same = form().querySelectorAll(`[name=r][value^="${role}.${phase}."]`);
  if (box.checked && right !== "view") form().querySelector(`[name=r][value="${role}.${phase}.view"]`).checked = true;
  if (!box.checked && right === "view") for (const one of same) one.checked = false;
}

function show(button) {
  for (const one of form().querySelectorAll("[name=phase]")) one.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
  form().querySelector("table").dataset.show = button.dataset.number;
  form().elements.show.value = button.value;
  history.replaceState(null, "", `?phase=${button.value}`);
}

function focusAfter(button) {
  const field = button.closest(".rmx-fields")?.querySelector("input:not([type=hidden])");
  return field ? `[name="${CSS.escape(field.name)}"]` : "";
}

document.addEventListener("change", (event) => {
  const field = event.target;
  if (!field.closest("#rmx-form") || field.name === "sure") return;
  if (field.name === "r") followView(field);
  if (!field.closest(".rmx-adder")) later();
});

document.addEventListener("submit", async (event) => {
  if (event.target !== form()) return;
  const button = event.submitter;
  clearTimeout(timer);
  if (button?.name === "do" && button.value === "save") {
    if (form().dataset.sent) event.preventDefault();
    form().dataset.sent = "1";
    return;
  }
  event.preventDefault();
  if (button?.name === "phase") {
    show(button);
    return;
  }
  const adding = document.activeElement?.closest?.(".rmx-adder");
  const chosen = button?.value === "review" && adding ? adding.querySelector("button") : button;
  const focus = chosen?.value === "add" ? focusAfter(chosen) : "";
  try {
    const page = await ask(chosen?.name ? { [chosen.name]: chosen.value } : {});
    if (page) swap(page, focus);
  } catch {
    lost();
  }
});

// A page that comes back from the browser's cache may be used again.
addEventListener("pageshow", () => delete form()?.dataset.sent);

// Boxes that were set before this file arrived, or that the browser kept over a reload.
if ([...(form()?.querySelectorAll("[type=checkbox]") ?? [])].some((box) => box.checked !== box.defaultChecked)) later();

form()?.classList.add("live");
