"""From bytes to text: kinds, titles, and what is refused."""

import json
import time

import pytest

from app.documents import texts, tokens
from app.documents.refusals import KINDS_OF_FILE, Unreadable
from app.wording import Statement, state


def only_text(data: bytes, name: str) -> texts.Text:
    (found,) = texts.read(data, name)
    return found


def test_plain_text_is_itself_and_is_called_by_its_file() -> None:
    found = only_text(b"\xef\xbb\xbfOpen at nine.\r\nClosed on Sunday.", "hours/shop.txt")

    assert (found.kind, found.title, found.text) == ("text", "shop", "Open at nine.\nClosed on Sunday.")


def test_markdown_is_called_by_its_first_heading() -> None:
    found = only_text(b"intro\n\n# Opening  hours\n\n*nine*", "a.md")

    assert (found.kind, found.title) == ("markdown", "Opening hours")


def test_html_becomes_what_a_reader_sees() -> None:
    page = b"""<!DOCTYPE html><html><head><title>Opening &amp; closing</title><style>p {}</style></head>
      <body><script>alert('never')</script><h1>Hours</h1><p>Nine   to
      five.</p><table><tr><td>Mo</td><td>9</td></tr></table><pre>a\n  b</pre><!-- no --></body></html>"""

    found = only_text(page, "a")

    assert (found.kind, found.title) == ("html", "Opening & closing")
    assert found.text == "# Hours\n\nNine to five.\n\n\tMo\t9\n\na\n  b"


def test_json_lines_hold_a_document_each() -> None:
    lines = [{"id": "7", "title": "T", "text": "one"}, {"source": "s", "text": "two"}, {"text": "three"}]

    found = texts.read("\n".join(json.dumps(line) for line in lines).encode(), "a.jsonl")

    assert [(text.title, text.text) for text in found] == [("T", "one"), ("s", "two"), ("a line 3", "three")]


def test_a_json_list_holds_the_same_documents_as_json_lines() -> None:
    values = [{"id": "7", "title": "T", "text": "one"}, {"text": "two"}]

    found = texts.read(json.dumps(values, indent=1).encode(), "a/b.json")

    assert [(text.title, text.text) for text in found] == [("T", "one"), ("b record 2", "two")]


@pytest.mark.parametrize("data", [b'["text", 1]', b"[]", b'{"text": "a"}', b"[1,", b'[{"name": "x"}]'])
def test_any_other_json_is_a_text_like_others(data: bytes) -> None:
    assert only_text(data, "a.json").text == data.decode()


@pytest.mark.parametrize(
    ("data", "name", "refused"),
    [
        (b" \n", "a.txt", state("empty")),
        (b"\x89PNG....", "a.txt", state("kind", kind="picture")),
        (b"PK\x03\x04....", "a.docx", state("kind", kind="zip")),
        (b"caf\xe9", "a.txt", state("not_utf8", byte=4)),
        (b"a\0b", "a.txt", state("nul")),
        (b"<html><script>x</script></html>", "a.html", state("no_text")),
        (b'{"text": "a"}\n{"txt": "b"}', "a.jsonl", state("no_text_key", part="Line", number=2)),
        (b"{", "a.jsonl", state("not_json", part="Line", number=1)),
        (b'[{"text": "a"}, {"txt": "b"}]', "a.json", state("no_text_key", part="Record", number=2)),
        (b"MZ\x90", "a.txt", state("kind", kind="program")),
    ],
)
def test_what_holds_no_text_is_refused_by_a_code(data: bytes, name: str, refused: Statement) -> None:
    with pytest.raises(Unreadable) as refusal:
        texts.read(data, name)

    assert refusal.value.statement == refused


def test_a_refusal_is_a_sentence_too() -> None:
    with pytest.raises(Unreadable, match=r"^It is an archive \(or an Office document, which is one\); save it as PDF"):
        texts.read(b"PK\x03\x04....", "a.docx")


def test_every_kind_of_file_that_is_refused_has_its_words() -> None:
    assert {kind for _, kind in texts._MAGIC} == KINDS_OF_FILE.keys()


# Parsers of HTML have been quadratic in each of these.
HOSTILE = [b"<div>", b"<!-", b"<!--", b"&#", b"<a b=", b"</", b"<script>", b'<a "', b"<"]


def seconds_for(piece: bytes, times: int) -> float:
    """Of the processor, for a page of nothing but this piece."""
    started = time.process_time()
    found = texts.read(b"<html>The end" + piece * times, "a.html")
    assert found[0].text.startswith("The end")
    return time.process_time() - started


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_pages_take_time_by_their_length(piece: bytes) -> None:
    short = max(seconds_for(piece, 1 << 12), 0.002)

    assert seconds_for(piece, 1 << 16) < 16 * 6 * short  # 256 times as long, were it quadratic


@pytest.mark.deep
@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_pages_end(piece: bytes) -> None:
    assert seconds_for(piece, 1 << 20) < 20  # it would be hours


# Counted with the vocabulary that the weights were fitted to (SmolLM2, 49k entries).
@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("The shop opens at nine and closes at five, except on Sundays.\n" * 20, 300),
        ("def add(first: int, second: int) -> int:\n    return first + second\n\n\n" * 20, 419),
        ("", 0),
        ("x", 1),
    ],
)
def test_tokens_are_estimated_within_a_tenth(text: str, counted: int) -> None:
    assert tokens.estimate(text) == pytest.approx(counted, rel=0.1)
