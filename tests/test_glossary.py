"""One label for each key, and no private word in its place on any page."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from jinja2 import Environment, nodes

from app import glossary
from app.advice.questions import ASKED
from app.advice.schema import ARMS
from app.evaluation.metrics import METRICS
from app.training.recipe import FIELDS
from app.web import pages

# Private words for what has a term; a page that needs one of them names the term instead.
FORBIDDEN = (
    "Advice so far",
    "Approve exactly this",
    "Can it be learnt",
    "Character overlap (chrF)",
    "Estimate again",
    "Instructions only",
    "Left out for length",
    "Longest answer, in tokens",
    "Look things up",
    "Make the account",
    "Match without form",
    "Nearest examples",
    "Passes over the data",
    "Please look at this again",
    "Random examples",
    "Readable JSON",
    "Retrieve (RAG)",
    "Rows in a step",
    "Save my word",
    "Show three rows",
    "Size of the adapter",
    "Split in another way",
    "Start measuring",
    "Take it along",
    "Tokens that fit",
    "Wanted",
    "What guesses",
    "Which rows judge",
    "Word overlap in order",
    "answer wanted",
    "changes, please",
    "had no hand in",
    "kept aside",
    "look up",
    "looked-up",
    "looking things up",
)
PRIVATE = re.compile(r"\b(?:arms?|judging)\b", re.IGNORECASE)
HEADINGS = re.compile(r"<(h[1-4]|th|dt|label|legend|button|summary)\b[^>]*>(.*?)</\1>", re.DOTALL)

TEMPLATES = {str(path.relative_to(pages.TEMPLATES)): path for path in sorted(pages.TEMPLATES.rglob("*.html"))}
PARSER = Environment(trim_blocks=True, lstrip_blocks=True, autoescape=True)


def texts(source: str) -> Iterator[str]:
    """What a template says itself: its text, and the texts that it hands to macros; comments are neither."""
    parsed = PARSER.parse(source)
    for data in parsed.find_all(nodes.TemplateData):
        yield " ".join(data.data.split())
    for constant in parsed.find_all(nodes.Const):
        value: Any = constant.value
        if isinstance(value, str):
            yield " ".join(value.split())


def test_pages_use_the_terms() -> None:
    private = [
        f"{name}: {word}"
        for name, path in TEMPLATES.items()
        for text in texts(path.read_text())
        for word in FORBIDDEN
        # Prices are looked up in a price list, which is no retrieval.
        if word in text and not name.startswith("economics/")
    ]

    assert private == []


def test_headings_and_labels_have_no_word_of_the_code() -> None:
    """An arm of the code is a variant on pages, and rows are evaluated."""
    private = [
        f"{name}: {text}"
        for name, path in TEMPLATES.items()
        for text in texts(" ".join(found for _, found in HEADINGS.findall(path.read_text())))
        if " " in text and PRIVATE.search(text)
    ]

    assert private == []


@pytest.mark.parametrize("kind", sorted({term.kind for term in glossary.TERMS}))
def test_two_keys_of_a_kind_have_two_labels(kind: str) -> None:
    labels = Counter(term.label.casefold() for term in glossary.TERMS if term.kind == kind)

    assert [label for label, times in labels.items() if times > 1] == []


def test_each_key_stands_once_with_its_help() -> None:
    assert len(glossary.BY_KEY) == len(glossary.TERMS)
    assert [term.key for term in glossary.TERMS if not term.help] == []


def test_whatever_is_stored_has_a_term() -> None:
    assert {f"recipe.{field.name}" for field in FIELDS} <= set(glossary.BY_KEY)
    assert {f"metric.{name}" for name in METRICS} <= set(glossary.BY_KEY)
    assert {f"variant.{arm}" for arm in ARMS} <= set(glossary.BY_KEY)


def test_a_metric_has_one_label_wherever_it_stands() -> None:
    asked = {choice.value: choice.label for choice in ASKED["metric"].choices}

    assert asked == {name: metric.title for name, metric in METRICS.items()}
    assert asked == {name: glossary.known("metric", name) for name in METRICS}


@pytest.mark.parametrize(
    ("name", "settings", "label"),
    [
        ("zero_shot", {}, "Zero-shot"),
        ("few_shot_random/2", {"k": 3}, "Few-shot, 3 random (sample 2)"),
        ("few_shot_random/2", None, "Few-shot, random (sample 2)"),
        ("few_shot_nearest", {"k": 5}, "Few-shot, 5 nearest"),
        ("revised_prompt/1", {}, "Prompt v2"),
        ("nearest_answer", {}, "Nearest neighbour (no LLM)"),
        ("adapter/7", {}, "LoRA adapter, run 7"),
        ("of_tomorrow", {}, "As it was called"),
    ],
)
def test_a_variant_is_named_by_what_it_is(name: str, settings: dict[str, int] | None, label: str) -> None:
    assert glossary.variant(name, settings, "As it was called") == label
