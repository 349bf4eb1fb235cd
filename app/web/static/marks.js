/* Marking gold passages by keyboard: 1 to 9 choose a passage, 0 says that it is in none of the documents, J skips, K goes back. Every press saves itself; without this file each is a button. */
"use strict";
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const form = document.querySelector("[data-marks]"), key = event.key.toLowerCase();
  const button = /^[0-9]$/.test(key) ? form?.querySelector(`[data-key="${key}"]`) : null;
  const link = key === "j" || key === "k" ? document.querySelector(`a[rel=${key === "j" ? "next" : "prev"}]`) : null;
  if (button) form.requestSubmit(button);
  else if (link) location.assign(link.href);
  else return;
  event.preventDefault();
});
// htmx takes the form over a moment after the page is there; a press in that moment waits for it.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-marks]") || !window.htmx || form.hasAttribute("data-htmx-powered") || form.waited) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  form.waited = true;
  setTimeout(() => form.requestSubmit(event.submitter));
}, true);
// The next row begins at its top, and the address of the page is that of no single row any more.
document.addEventListener("htmx:after:swap", () => {
  scrollTo({ top: 0 });
  if (location.search) history.replaceState(null, "", location.pathname);
});
document.addEventListener("htmx:finally:request", (event) => {
  const status = event.detail?.ctx?.response?.status ?? 0;
  if (status >= 200 && status < 300) return;
  const words = document.querySelector("[data-saved]");
  words?.classList.remove("hidden");
  words?.replaceChildren(Object.assign(document.createElement("b"), { className: "fail", textContent: "Not saved. Try again, or load the page anew." }));
});
