/* The one polite live region. */
export function say(text) {
  const region = document.getElementById("say");
  if (!region || region.textContent === text) return;
  region.textContent = text;
}
