/* The little that HTML and htmx do not do. Every page works without it. */
"use strict";
// Autosave: the server judges only the field that was touched last.
addEventListener("input", (event) => {
  const touched = event.target.form?.elements.touched;
  if (touched && event.target !== touched) touched.value = event.target.name;
}, true);
// A form that came back with faults: go to the list of them.
document.querySelector("[data-focus]")?.focus();
// Printing is the browser's, so its button is there only where it can do something.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}
// A job is over: the page around it has more to show now.
new MutationObserver(() => { if (document.querySelector("[data-reload]")) location.reload(); })
  .observe(document.body, { childList: true, subtree: true });
// A menu closes when the reader goes elsewhere.
addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});
