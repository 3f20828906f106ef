/* What Django's admin leaves without a name: its searching fields and the first column of its rows. */
function nameFields() {
  for (const box of document.querySelectorAll(".select2-selection")) {
    const select = box.closest(".select2")?.previousElementSibling;
    const label = select?.getAttribute("aria-label") || document.querySelector(`label[for="${select?.id}"]`)?.textContent;
    if (!label) continue;
    for (const part of [box, box.querySelector(".select2-selection__rendered")]) part?.setAttribute("aria-label", label.trim().replace(/:$/, ""));
  }
  for (const head of document.querySelectorAll("th.original:empty")) head.setAttribute("role", "presentation");
  nameCells();
}

/* Where a row of fields is drawn as a card, each field needs its column's name beside it. */
function nameCells() {
  for (const table of document.querySelectorAll(".tabular table")) {
    const heads = [...table.tHead.rows[0].cells].map((head) => head.textContent.trim().replace(/\?$/, ""));
    for (const row of table.querySelectorAll("tr.form-row:not(:has(>[data-label]))")) {
      [...row.cells].forEach((cell, place) => cell.setAttribute("data-label", heads[place] || ""));
    }
  }
}

nameFields();
new MutationObserver(nameFields).observe(document.body, { childList: true, subtree: true });
