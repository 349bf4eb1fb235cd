"""Documents to passages: structure first, then size; nothing is lost, nothing is larger than asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.documents.tokens import estimate
from app.retrieval.settings import IndexSettings
from app.retrieval.splitting import Piece, split

SMALL = IndexSettings(size=40, overlap=0)


def pieces(
    text: str, kind: str = "markdown", title: str = "Manual", *, size: int = 40, overlap: int = 0
) -> list[Piece]:
    return list(split(text, kind, title, IndexSettings(size=size, overlap=overlap)))


MARKDOWN = """---
title: settings
---
# Manual

Intro.

## Refunds

Paid within days.

### Abroad

Later.

```sh
# no heading
rm -r /tmp
```

Setext
------

Below.

## Empty
"""


def test_headings_part_and_become_the_title() -> None:
    assert [(one.title, one.text) for one in pieces(MARKDOWN)] == [
        ("Manual", "---\ntitle: settings\n---"),
        ("Manual", "Intro."),
        ("Manual \u203a Refunds", "Paid within days."),
        ("Manual \u203a Refunds \u203a Abroad", "Later.\n\n```sh\n# no heading\nrm -r /tmp\n```"),
        ("Manual \u203a Setext", "Below."),
        ("Manual \u203a Empty", "Empty"),
    ]


def test_plain_text_has_headings_by_lines_below() -> None:
    text = "=====\nGuide\n=====\n\nFirst.\n\nPart one\n--------\n\nA list::\n\n   code\n\n- one\n- two\n\n"
    text += "Part two\n--------\nEnd."

    assert [(one.title, one.text) for one in pieces(text, "text", "guide.rst")] == [
        ("guide.rst \u203a Guide", "First."),
        ("guide.rst \u203a Guide \u203a Part one", "A list::\n\n   code\n\n- one\n- two"),
        ("guide.rst \u203a Guide \u203a Part two", "End."),
    ]


def test_a_large_table_is_cut_by_rows_and_keeps_its_head() -> None:
    rows = [f"| article {number} | {number} days |" for number in range(40)]
    head = "| Article | Days |\n| --- | --- |"
    text = "\n".join([head, *rows])

    made = pieces(text, size=80)

    assert len(made) > 5
    assert all(one.text.startswith(head) for one in made)
    assert [line for one in made for line in one.text.split("\n")[2:]] == rows
    assert all(one.tokens <= 80 * 1.15 for one in made)


def test_a_list_is_cut_between_its_items_and_a_paragraph_between_sentences() -> None:
    items = [f"- item number {number} of this list" for number in range(20)]
    sentences = [f"This is sentence number {number} of the text." for number in range(20)]

    made = pieces("\n".join(items) + "\n\n" + " ".join(sentences))

    lines = [line for one in made for line in one.text.split("\n") if line.startswith("-")]
    assert lines == items
    assert all(one.text.rstrip().endswith((".", "list")) for one in made)
    sizes = [one.tokens for one in made]
    assert min(sizes) > SMALL.size / 3  # evenly: no scrap at the end


def test_the_overlap_repeats_whole_sentences_of_the_same_section_only() -> None:
    text = "## A\n\n" + " ".join(f"Sentence {number} is here." for number in range(12)) + "\n\n## B\n\nOther words."

    made = pieces(text, overlap=15)

    first, second = made[0], made[1]
    repeated = text[second.start : first.end]
    assert repeated.startswith("Sentence")
    assert repeated.endswith(".")
    assert 0 < estimate(repeated) <= 15
    assert made[-1].text == "Other words."


@pytest.mark.parametrize(
    "text", ["word" * 5000, "12" * 3000, "你好。" * 800, "ab " * 5000, "." * 30_000, "a\n\n" * 9000]
)
@pytest.mark.parametrize("kind", ["markdown", "text"])
def test_what_has_no_structure_is_cut_all_the_same(text: str, kind: str) -> None:
    made = pieces(text, kind)

    assert "".join("".join(one.text.split()) for one in made) == "".join(text.split())
    assert all(one.tokens <= 48 for one in made)


@given(st.text(alphabet=st.sampled_from("ab.# \n-|`=*1\t>"), max_size=400), st.sampled_from(["markdown", "text"]))
def test_no_text_is_lost_and_places_are_right(text: str, kind: str) -> None:
    """Every sign that is no part of a heading stands in a passage, at the place that it says."""
    made = pieces(text, kind, overlap=10)

    for one in made:
        assert 0 <= one.start < one.end <= len(text)
        inside = text[one.start : one.end]
        assert one.text.endswith(inside) or "#" in inside or one.text in " ".join(inside.split())
    covered = {at for one in made for at in range(one.start, one.end)}
    lost = "".join(sign for at, sign in enumerate(text) if at not in covered and not sign.isspace())
    titles = "".join(one.title for one in made)
    assert not lost.strip("#-=|`*>.") or all(sign in titles or sign in "#-=|`*>.1" for sign in lost)
