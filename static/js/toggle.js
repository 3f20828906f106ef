/* The theme switch: changes at once, and tells the server, which stores it in the profile and a cookie. */
export function theme() {
  const form = document.querySelector("[data-theme-form]");
  if (!form) return;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const wanted = current() === "dark" ? "light" : "dark";
    button.value = wanted;
    const body = new FormData(form);
    body.set("theme", wanted);
    document.documentElement.dataset.theme = wanted;
    draw(button);
    fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" }, keepalive: true }).catch(() => {});
  });
  draw(form.querySelector("button"));
}

function current() {
  return document.documentElement.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

function draw(button) {
  const other = current() === "dark" ? "light" : "dark";
  button.setAttribute("aria-label", `Switch to ${other} theme`);
  button.value = other;
  button.querySelector("use").setAttribute("href", other === "light" ? "#i-sun" : "#i-moon");
}
