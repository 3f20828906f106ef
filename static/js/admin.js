/* What Django's admin leaves without a name: its searching fields and the first column of its rows. */
function nameFields() {
  for (const box of document.querySelectorAll(".select2-selection")) {
    const select = box.closest(".select2")?.previousElementSibling;
    const label = select?.getAttribute("aria-label") || document.querySelector(`label[for="${select?.id}"]`)?.textContent;
    if (!label) continue;
    for (const part of [box, box.querySelector(".select2-selection__rendered")]) part?.setAttribute("aria-label", label.trim().replace(/:$/, ""));
  }
  for (const head of document.querySelectorAll("th.original:empty")) head.setAttribute("role", "presentation");
}

nameFields();
new MutationObserver(nameFields).observe(document.body, { childList: true, subtree: true });
