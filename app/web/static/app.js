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
// A menu closes when the reader goes elsewhere.
addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open]")) menu.open = false;
});
// Times come in UTC; here they get the reader's own, and keep UTC for who points at them.
const ownTime = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const ownClock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const ownDay = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });
const settle = () => {
  // A list by days, where the reader's own days begin and not UTC's.
  for (const list of document.querySelectorAll("[data-days]")) {
    for (const head of list.querySelectorAll(".day")) head.remove();
    let before = "";
    for (const item of [...list.children]) {
      const day = ownDay.format(new Date(item.querySelector("time").dateTime));
      if (day !== before) item.before(Object.assign(document.createElement("li"), { className: "day", textContent: day }));
      before = day;
    }
    delete list.dataset.days;
  }
  for (const time of document.querySelectorAll("time[data-time]")) {
    const own = ownTime.format(new Date(time.dateTime));
    if (time.dataset.time === "whole") time.textContent = own;
    else if (time.dataset.time === "clock") {
      time.textContent = ownClock.format(new Date(time.dateTime));
      time.title = `${own} (${time.title})`;
    }
    else time.title = `${own} (${time.title})`;
    delete time.dataset.time;
  }
  // A job is over: the page around it has more to show now.
  if (document.querySelector("[data-reload]")) location.reload();
};
settle();
new MutationObserver(settle).observe(document.body, { childList: true, subtree: true });
// Copying: the clipboard where the browser gives it; plain http has the old way alone.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const node = document.getElementById(button.dataset.copy);
    getSelection().selectAllChildren(node);
    const done = await navigator.clipboard?.writeText(node.textContent.trim()).then(() => true, () => false)
      || document.execCommand("copy");
    button.firstChild.textContent = done ? "Copied" : "Press Ctrl+C";
  });
}
