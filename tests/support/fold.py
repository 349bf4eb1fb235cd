"""How much a page says before anybody scrolls: words that are in sight, and how long the page is."""

from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Page

FOLD = 800  # px: what a browser on a laptop shows of a page that is 1,280 wide
WORDS = """fold => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = { frame: 0, content: 0 };
  while (texts.nextNode()) {
    const text = texts.currentNode, holder = text.parentElement;
    if (!text.data.trim() || holder.closest("script, style, template, select, .hidden, .skip")) continue;
    if (!holder.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    for (const word of text.data.matchAll(/\\S+/g)) {
      if (!/[\\p{L}\\p{N}]/u.test(word[0])) continue;
      const range = document.createRange();
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      const box = range.getBoundingClientRect();
      if (box.width < 1 || box.height < 2 || box.top >= fold || box.bottom <= 0 || box.right <= 0) continue;
      seen[holder.closest("main") ? "content" : "frame"] += 1;
    }
  }
  return seen;
}"""


@dataclass(frozen=True, slots=True)
class Seen:
    """words: in sight above the fold, what stands on every page (menu, notices) with them; content: those of the page
    itself. height: of the whole page in px. A word has a letter or a digit; what is chosen in a list is not counted.
    """

    words: int
    content: int
    height: int


def seen(page: Page, fold: int = FOLD) -> Seen:
    """What is in sight of the page as it stands, in a window of any height."""
    page.evaluate("scrollTo(0, 0)")
    found: dict[str, Any] = page.evaluate(WORDS, fold)
    height = int(page.evaluate("document.documentElement.scrollHeight"))
    return Seen(found["frame"] + found["content"], found["content"], height)
