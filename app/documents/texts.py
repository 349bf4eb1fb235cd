"""From the bytes of a document to its text: plain text, Markdown, HTML. What a document is, is seen from its bytes.

The name decides only between kinds of text (a .md is Markdown). PDF and zip need libraries and are opened by `child`.
"""

import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from app.documents.refusals import Unreadable

LONGEST = 32 << 20  # bytes of one document, and characters of its text
TITLE = 200  # characters of a title or name that are kept

_MAGIC = (
    (b"\x89PNG", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"GIF8", "picture"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"7z\xbc\xaf", "archive"),
    (b"Rar!", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ", "archive"),
    (b"\xd0\xcf\x11\xe0", "old_office"),
    (b"PAR1", "parquet"),
    (b"SQLite format 3", "database"),
    (b"\x7fELF", "program"),
    (b"MZ", "program"),
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SPACES = re.compile(r"[ \t\xa0]+")
_BLANKS = re.compile(r"\n{3,}")
_HEADING = re.compile(r"^#\s+(.+)$", re.MULTILINE)
PDF = b"%PDF-"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class Text:
    """What was read. kind: text, markdown, html or pdf."""

    kind: str
    title: str
    text: str


def read(data: bytes, name: str) -> list[Text]:
    """The document in `data`, or the documents of a file of JSON lines or of a JSON list.

    Raises:
        Unreadable: it is none of the kinds that are read, or holds no text.
    """
    if not data.strip():
        raise Unreadable("empty")
    if kind := next((kind for magic, kind in _MAGIC if data.startswith(magic)), ""):
        raise Unreadable("kind", kind=kind)
    text = _decoded(data)
    low = name.casefold()
    if _looks_like_a_page(text) or low.endswith((".html", ".htm", ".xhtml")):
        texts = [_html(text, name)]
    elif low.endswith((".jsonl", ".ndjson")):
        texts = _lines(text, name)
    elif low.endswith(".json") and (listed := _listed(text, name)):
        texts = listed
    elif low.endswith((".md", ".markdown")):
        heading = _HEADING.search(text)
        texts = [Text("markdown", title_of(heading.group(1) if heading else "", name), text)]
    else:
        texts = [Text("text", title_of("", name), text)]
    if not any(text_read.text.strip() for text_read in texts):
        raise Unreadable("no_text")
    return texts


def _decoded(data: bytes) -> str:
    bom, encoding = next((pair for pair in _BOMS if data.startswith(pair[0])), (b"", "utf-8"))
    try:
        text = data[len(bom) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("not_utf8", byte=error.start + 1) from None
    if "\0" in text:
        raise Unreadable("nul")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _looks_like_a_page(text: str) -> bool:
    head = text[:4000].lstrip().casefold()
    return head.startswith("<") and ("<html" in head or "<!doctype html" in head)


def title_of(stated: str, name: str) -> str:
    """A title in one line; without one, the file's name without its folder and ending."""
    stem = name.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    title = " ".join(stated.split()) or (stem.rsplit(".", 1)[0] if "." in stem[1:] else stem)
    return title[:TITLE]


def _lines(text: str, name: str) -> list[Text]:
    """Documents as JSON lines: `text`, and a `title` or `source` where there is one."""
    entries = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise Unreadable("not_json", part="Line", number=number) from None
        entries.append(_entry(value, "Line", number, f"{title_of('', name)} line {number}"))
    return entries


def _listed(text: str, name: str) -> list[Text] | None:
    """The same documents in one JSON list; None for any other JSON, which is a text like others."""
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(values, list) or not values or not isinstance(values[0], dict) or "text" not in values[0]:
        return None
    stem = title_of("", name)
    return [_entry(value, "Record", n, f"{stem} record {n}") for n, value in enumerate(values, start=1)]


def _entry(value: object, part: str, number: int, otherwise: str) -> Text:
    """One document of many in a file: line or record so many. otherwise: its title if it has none."""
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        raise Unreadable("no_text_key", part=part, number=number)
    if "\0" in value["text"]:
        raise Unreadable("nul_in", part=part, number=number)
    title = next((value[key] for key in ("title", "source", "id") if isinstance(value.get(key), str)), "")
    return Text("text", title_of(title or otherwise, ""), value["text"])


# ---------------------------------------------------------------------- HTML
# Read by a scanner of our own: the standard library's takes time that grows with the square of what is left open.
_LONGEST_TAG = 4000  # characters of a tag with its attributes; a longer one is text
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})(?:\"[^\"]*+\"|'[^']*+'|[^<>\"'])*+>")
_DECLARATION = re.compile(r"<[!?][^<>]{0,2000}>")
_UNSEEN = {"script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "title"}
_BREAKS = {
    *("address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer"),
    *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section"),
    *("table", "tr", "ul"),
}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_TITLE = re.compile(r"<title[^<>]{0,200}>([^<]{0,2000})", re.IGNORECASE)
_COMMENT_END = re.compile("-->")
_CLOSING = {name: re.compile(rf"</{name}[^<>]{{0,200}}>", re.IGNORECASE) for name in _UNSEEN}


def _html(text: str, name: str) -> Text:
    """What a reader would see, a line for each block; headings are marked as in Markdown."""
    lines = (_unpadded(line) for line in "".join(_seen(text)).split("\n"))
    titled = _TITLE.search(text)
    seen = _BLANKS.sub("\n\n", "\n".join(lines)).strip().replace("\0", "")
    return Text("html", title_of(html.unescape(titled[1]) if titled else "", name), seen)


def _seen(text: str) -> Iterator[str]:
    at, in_pre = 0, False
    while at < len(text):
        opening = text.find("<", at)
        end = len(text) if opening < 0 else opening
        if end > at:
            visible = html.unescape(text[at:end])
            yield visible if in_pre else _SPACES.sub(" ", visible.replace("\n", " "))
        if opening < 0:
            return
        if tag := _TAG.match(text, opening, opening + _LONGEST_TAG):
            kind, opens = tag[2].lower(), not tag[1]
            in_pre = opens if kind == "pre" else in_pre
            yield "\n" if kind in _BREAKS else "\t" if opens and kind in ("td", "th") else ""
            if opens and kind in _HEADINGS:
                yield f"{'#' * int(kind[1])} "  # as Markdown has it: where a section begins is worth keeping
            at = _after(text, tag.end(), _CLOSING[kind]) if opens and kind in _UNSEEN else tag.end()
        elif text.startswith("<!--", opening):
            at = _after(text, opening, _COMMENT_END)
        elif declaration := _DECLARATION.match(text, opening):
            at = declaration.end()
        else:
            yield "<"
            at = opening + 1


def _after(text: str, at: int, closing: re.Pattern[str]) -> int:
    """Where what is not shown ends; what is never closed goes on to the end."""
    end = closing.search(text, at)
    return end.end() if end else len(text)


def _unpadded(line: str) -> str:
    """The line without the blank that stood between two tags; what a `pre` indents stays indented."""
    return (line[1:] if line[:1] == " " and line[1:2] != " " else line).rstrip(" ")
