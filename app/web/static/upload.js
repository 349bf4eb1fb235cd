/* The page with an upload: progress and cancel, files that are dropped or pasted. Without it the browser sends the form in its own way. */
"use strict";
// Uploads: say how far it is and let it be stopped. Without this the browser does both in its own way.
const say = (text) => { document.getElementById("note").replaceChildren(Object.assign(document.createElement("p"), { className: "note", textContent: text })); };
const megabytes = (bytes) => (bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`);
addEventListener("submit", (event) => {
  const form = event.target, state = form.querySelector("[data-upload]");
  if (!state || event.defaultPrevented) return;
  event.preventDefault();
  for (const input of form.querySelectorAll("input[type=file]")) {
    const files = [...input.files], size = files.reduce((sum, file) => sum + file.size, 0);
    const name = files.length === 1 ? `${files[0].name} has` : `${files.length} files have`;
    if (size > form.dataset.limit) return say(`${name} ${megabytes(size)}; the limit is ${megabytes(form.dataset.limit)}.`);
  }
  const content = new FormData(form, event.submitter);  // before its button is switched off
  const request = new XMLHttpRequest(), bar = state.querySelector("progress"), words = state.querySelector("[data-sent]"), told = state.querySelector("[data-told]");
  const buttons = [...form.querySelectorAll("button:not([data-stop])")], began = performance.now();
  const over = (text) => {
    state.hidden = true;
    for (const button of buttons) button.disabled = false;
    removeEventListener("beforeunload", stay);
    if (text) { say(text); buttons[0].focus(); }
  };
  const stay = (leaving) => leaving.preventDefault();
  request.open("POST", form.action);
  request.upload.onprogress = ({ lengthComputable, loaded, total }) => {
    if (!lengthComputable) return;
    bar.value = loaded / total;
    const tenth = `${10 * Math.floor(10 * bar.value)} % sent`;
    if (told && told.textContent !== tenth) told.textContent = tenth;
    const seconds = (performance.now() - began) / 1000, left = Math.ceil(seconds * (total - loaded) / loaded);
    words.textContent = loaded === total ? "Everything is sent; it is being stored."
      : `${megabytes(loaded)} of ${megabytes(total)}` + (seconds > 2 ? `, about ${left > 90 ? `${Math.round(left / 60)} min` : `${left} s`} left` : "");
  };
  request.onload = () => {
    over();
    if (request.responseURL !== form.action) return location.assign(request.responseURL);
    const answer = new DOMParser().parseFromString(request.responseText, "text/html"), main = answer.querySelector("main");
    if (!main) return say("The server gave no answer that can be shown. Please try again.");
    document.querySelector("main").replaceWith(main);
    window.htmx?.process(main);
    document.title = answer.title;
    main.querySelector("[data-focus]")?.focus();
  };
  request.onerror = () => over("The upload broke off. Nothing was kept; please try again.");
  request.onabort = () => over("The upload was cancelled. Nothing was kept.");
  state.querySelector("[data-stop]").onclick = () => request.abort();
  state.hidden = false;
  for (const button of buttons) button.disabled = true;
  state.querySelector("[data-stop]").focus();
  addEventListener("beforeunload", stay);
  request.send(content);
});
// Files that are dropped anywhere on a page with an upload go into its field; a miss must not replace the page.
const fields = () => [...document.querySelectorAll("[data-drop]")];
const boxAt = (event) => event.target.closest?.("[data-drop]") ?? fields()[0];
const give = (box, files) => {
  const input = box.querySelector("input[type=file]");
  if (!input.multiple && files.length > 1) say(`${files.length} files came; only ${files[0].name} was taken. An upload is one file.`);
  const taken = new DataTransfer();
  for (const file of input.multiple ? files : [files[0]]) taken.items.add(file);
  input.files = taken.files;
  for (let outer = box.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  input.focus();
};
const mark = (box) => { for (const one of fields()) one.classList.toggle("over", one === box); };
addEventListener("dragover", (event) => {
  if (!fields().length || !event.dataTransfer.types.includes("Files")) return;
  event.preventDefault();
  mark(boxAt(event));
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(null); });
// Everything in a folder, each file under its path; a file that is dropped by itself is taken as it is.
const filesOf = async (entry, path = "") => {
  if (entry.isFile) {
    const file = await new Promise((done, failed) => entry.file(done, failed));
    return [path ? new File([file], path + file.name, { type: file.type }) : file];
  }
  const reader = entry.createReader(), found = [];
  for (;;) {  // a reader gives a hundred at a time, and nothing at the end
    const some = await new Promise((done, failed) => reader.readEntries(done, failed));
    if (!some.length) return found;
    for (const one of some) found.push(...await filesOf(one, `${path}${entry.name}/`));
  }
};
addEventListener("drop", (event) => {
  if (!fields().length || !event.dataTransfer.files.length) return;
  event.preventDefault();
  mark(null);
  const box = boxAt(event), entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const folder = entries.find((entry) => entry.isDirectory);
  if (!folder) return give(box, [...event.dataTransfer.files]);
  if (!box.querySelector("input").multiple) return say(`${folder.name} is a folder. Drop the file itself.`);
  Promise.all(entries.map((entry) => filesOf(entry))).then((files) => give(box, files.flat()), () => say(`The folder ${folder.name} could not be read. Choose it with the button instead.`));
});
// What is pasted outside a field: a file goes into the upload, text into its box.
addEventListener("paste", (event) => {
  const typing = event.target.closest?.("input, textarea, select"), box = fields()[0], data = event.clipboardData;
  if (!box || !data || (typing && !data.files.length)) return;
  if (data.files.length) { event.preventDefault(); return give(box, [...data.files]); }
  const text = document.getElementById("pasted"), words = data.getData("text/plain");
  if (!text || !words) return;
  event.preventDefault();
  for (let outer = text.closest("details"); outer; outer = outer.parentElement.closest("details")) outer.open = true;
  text.value = words;
  text.focus();
});
// A link to a part that is folded away opens it; details further down in a part stay as they are.
const unfold = () => {
  const inner = document.getElementById(location.hash.slice(1))?.querySelector(":scope > details:first-child");
  if (inner) inner.open = true;
};
addEventListener("hashchange", unfold);
unfold();
