/* What a person has written into a form that is still on its page. */

/* What a person has typed or chosen comes along, wherever the focus is now. */
export function carry(old, next) {
  for (const field of old.querySelectorAll("input:not([type=hidden]), textarea, select")) {
    if (!touched(field)) continue;
    const same = [...next.querySelectorAll(`[name="${CSS.escape(field.name)}"]`)].find((one) => one.type === field.type && (!ticked(field) || one.value === field.value));
    if (!same) continue;
    if (ticked(field)) same.checked = field.checked;
    else same.value = field.value;
  }
}

function ticked(field) {
  return field.type === "radio" || field.type === "checkbox";
}

export function touched(field) {
  if (!field.name || field.type === "file") return false;
  if (ticked(field)) return field.checked !== field.defaultChecked;
  if (field.options) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((one) => one.defaultSelected));
  return field.value !== field.defaultValue;
}
