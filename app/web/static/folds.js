// What somebody unfolded stays so when its part of the page is drawn anew.
const folds = new Map();
addEventListener("toggle", (event) => {
  if (event.target.matches?.("details[data-fold]")) folds.set(event.target.id, event.target.open);
}, true);
document.addEventListener("htmx:after:swap", () => {
  for (const [id, open] of folds) {
    const fold = document.getElementById(id);
    if (fold) fold.open = open;
  }
});
