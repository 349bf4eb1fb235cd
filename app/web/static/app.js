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
// Times are in UTC as they come; here they get the reader's own, and keep UTC for who points at them.
const ownTime = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
});
const tellTime = (root) => {
  for (const time of root.querySelectorAll("time[data-time]")) {
    const own = ownTime.format(new Date(time.dateTime));
    if (time.dataset.time === "whole") time.textContent = own;
    else time.title = `${own} (${time.title})`;
    delete time.dataset.time;
  }
};
tellTime(document);
new MutationObserver(() => tellTime(document)).observe(document.body, { childList: true, subtree: true });
// Copying: the clipboard where the browser gives it, else the old way, which plain http has as well.
const copyText = async (node) => {
  try {
    await navigator.clipboard.writeText(node.textContent.trim());
  } catch {
    getSelection().selectAllChildren(node);
    if (!document.execCommand("copy")) return false;
    getSelection().removeAllRanges();
  }
  return true;
};
for (const button of document.querySelectorAll("[data-copy]")) {
  const node = document.getElementById(button.dataset.copy), words = button.firstChild;
  if (!node) continue;
  button.hidden = false;
  button.addEventListener("click", async () => {
    words.textContent = (await copyText(node)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { words.textContent = "Copy"; }, 2000);
  });
}
