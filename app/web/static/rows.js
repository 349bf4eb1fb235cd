/* Lists of rows: filters that act at once, and the keyboard. Without it there is the button Show, and links. */
"use strict";
// A choice sends the form; words are sent when nobody types for a while. The list alone is put in place of the old one.
const form = document.querySelector("form[data-at-once]");
if (form) {
  let waiting, asked = 0;
  const button = form.querySelector("button");
  const show = async () => {
    const mine = (asked += 1), values = new FormData(form);
    for (const [name, value] of [...values]) if (!value) values.delete(name);
    const address = `${form.getAttribute("action")}?${new URLSearchParams(values)}`;
    const answer = await fetch(address, { headers: { accept: "text/html" } }).catch(() => null);
    if (mine !== asked) return;
    if (!answer || !answer.ok || answer.redirected) return location.assign(address);
    const next = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["rows", "chosen"]) document.getElementById(id)?.replaceWith(next.getElementById(id));
    history.replaceState(null, "", address);
  };
  button.hidden = true;
  form.addEventListener("change", (event) => {
    if (event.target.name === "line") return form.requestSubmit();
    clearTimeout(waiting);
    show();
  });
  form.addEventListener("input", (event) => {
    if (event.target.type !== "search") return;
    clearTimeout(waiting);
    waiting = setTimeout(show, 400);
  });
}
// J and K go through what is listed; on the page of one row they lead to the next one.
const LISTED = "#rows details.example > summary, .contradiction";
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const key = event.key.toLowerCase();
  if (key === "/" && form) { event.preventDefault(); return form.querySelector("input[type=search]").focus(); }
  if (key !== "j" && key !== "k") return;
  const listed = [...document.querySelectorAll(LISTED)], step = key === "j" ? 1 : -1;
  if (!listed.length) return form ? undefined : document.querySelector(`a[rel=${step > 0 ? "next" : "prev"}]`)?.click();
  const at = listed.findIndex((one) => one === document.activeElement || one.parentElement.contains(document.activeElement) && one.matches("summary"));
  const next = listed[at < 0 ? (step > 0 ? 0 : listed.length - 1) : at + step];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
});
