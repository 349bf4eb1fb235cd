/* Answers by keyboard: J and K move, 1 to 4 tag, U takes back what was tagged last, Enter accepts the suggestion, 0 takes the tag off, O opens, ? shows the keys. Every tag saves itself; without this file each is a button. */
"use strict";
const answers = () => [...document.querySelectorAll("[data-answer]")];
const current = () => document.activeElement?.closest("[data-answer]") ?? document.querySelector("[data-answer].current");
const single = !document.querySelector("[data-answers]");  // one answer alone on its page
const tagged = [];  // answers in the order in which they were tagged, for U
const takingBack = [];  // of these, what has to be saved before it can be taken back
let saving = 0, next = null;
for (const hint of document.querySelectorAll("[data-with-script]")) hint.hidden = false;

const go = (link) => {
  if (!link) return;
  if (saving) next = link.href;  // what is on its way is saved first
  else location.assign(link.href);
};
const turn = (way) => go(document.querySelector(`a[rel=${way}]`));
const take = (answer) => {
  for (const one of answers()) one.classList.toggle("current", one === answer);
  answer.focus({ preventScroll: true });
  answer.scrollIntoView({ block: "nearest" });
};
const move = (step) => {
  const all = answers(), at = all.indexOf(current());
  const answer = all[at < 0 ? 0 : at + step];
  if (single || !answer) turn(step > 0 ? "next" : "prev");
  else take(answer);
};
const press = (answer, button) => {
  if (!button) return;
  button.form.requestSubmit(button);
  if (!single && answers().at(-1) !== answer && button.dataset.key !== "0") take(answers()[answers().indexOf(answer) + 1]);
  else if (!single) take(answer);
};

const undo = (answer) => {
  const button = answer?.querySelector("[data-undo]");
  if (!button) return;
  take(answer);
  button.form.requestSubmit(button);
};
const takeBack = () => {
  const last = tagged.pop() ?? document.querySelector("[data-undo]")?.closest("[data-answer]");
  if (last && (saving || !last.querySelector("[data-undo]"))) takingBack.push(last);
  else undo(last);
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select, [contenteditable]")) return;
  const answer = current() ?? (single ? answers()[0] : null), key = event.key.toLowerCase();
  if (key === "?") {
    const keys = document.getElementById("keys");
    if (!keys) return;
    keys.open = !keys.open;
    if (keys.open) keys.scrollIntoView({ block: "nearest" });
  } else if (key === "u") takeBack();
  else if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "o" && answer) answer.querySelector("a[data-open]")?.click();
  else if (/^[0-9pf]$/.test(key) && answer) press(answer, answer.querySelector(`[data-key="${key}"]`));
  else if (key === "enter" && answer && !event.target.closest("a, button, summary")) press(answer, answer.querySelector("[data-suggested]"));
  else return;
  event.preventDefault();
});

// htmx takes forms over a moment after the page is there; a tag given in that moment waits for it.
addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-causes]") || !window.htmx || form.hasAttribute("data-htmx-powered") || form.waited) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  form.waited = true;
  setTimeout(() => form.requestSubmit(event.submitter));
}, true);

addEventListener("submit", (event) => {
  const answer = event.target.matches("[data-causes]") && event.target.closest("[data-answer]");
  if (answer && !event.submitter?.matches("[data-undo]") && tagged.at(-1) !== answer) tagged.push(answer);
});

// Nothing is left behind: a link waits for what is being saved, and a window that closes asks.
addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || !saving || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  next = link.href;
});
addEventListener("beforeunload", (event) => { if (saving) event.preventDefault(); });
const causes = (event) => event.target.closest?.("[data-causes]");
document.addEventListener("htmx:before:request", (event) => { if (causes(event)) saving += 1; });
document.addEventListener("htmx:finally:request", (event) => {
  const form = causes(event);
  if (!form) return;
  saving = Math.max(0, saving - 1);
  const response = event.detail?.ctx?.response, status = response?.status ?? 0;
  if (status < 200 || status > 299) {
    next = null;
    const words = form.querySelector("[data-saved]");
    if (words) words.replaceChildren(Object.assign(document.createElement("b"), { className: "fail", textContent: "Not saved. Try again, or load the page anew." }));
  }
  setTimeout(() => {
    if (saving) return;
    const last = takingBack.splice(0);
    for (const answer of last) undo(answer);
    if (!last.length && next) location.assign(next);
  });  // one that waited its turn begins right now
});
// The answer that the address names, or the first one, is the current one; for a second person who comes back, the first
// that has no tag of theirs.
const untagged = () => answers().find((one) => one.querySelector("[data-causes]") && !one.querySelector("[aria-pressed=true]"));
const named = document.getElementById(location.hash.slice(1));
if (named?.matches("[data-answer]")) take(named);
else if (!single && document.querySelector("[data-answers] [data-causes]")) take((document.querySelector(".second-person") && untagged()) || answers()[0]);
