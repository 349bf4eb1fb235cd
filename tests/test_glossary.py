"""One label for each key, and no private word in its place on any page."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from jinja2 import Environment, nodes

from app import glossary
from app.advice.policy_file import POLICY
from app.advice.questions import ASKED
from app.advice.schema import ARMS
from app.assessments.answer_models import Answers, CaseAnswers
from app.evaluation.metrics import METRICS
from app.training.recipe import FIELDS
from app.web import pages
from app.web.pages import percent as share_text
from app.web.pages import points

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


# Private words in sentences that Python draws, and who may say them: a word that means something else there, or a
# sentence that is part of what was approved (`glossary.todays` says those in other words on pages).
SAID = re.compile(
    r"\b(?:arms?|(?<!LLM )judg(?:e|es|ed|ing)|told apart|hand in it|voids?|voided|made anew|anew|take along|"
    r"look(?:s|ed)? (?:it |them |things )?up|looked-up|looking things up|kept aside|you said|wanted answer|learnt|"
    r"prioritis\w+|deare(?:r|st)|work(?:ed)? (?:it )?out)\b",
    re.IGNORECASE,
)
KEPT = {
    "advice/policy_check.py": "for whoever writes a policy file",
    "advice/sentences/gates.py": "part of what is approved",
    "advice/sentences/scores.py": "part of what is approved",
    "evaluation/correction.py": "about the LLM judge alone",
    "economics/prices.py": "prices are looked up in a price list",
    "glossary.py": "what it replaces",
    "standing/keeping.py": "for the log",
    "worker.py": "for the log",
    "baselines/job.py": "a slip of the code",
}


JUDGE = ("judging/", "judg")  # the room of the LLM judge, where the word is the term; so it is in files named by it


def private_word(name: str, text: str) -> str:
    """The first private word of a text in that file; empty where there is none."""
    room, term = JUDGE
    words = (match.group(0) for match in SAID.finditer(text))
    at_home = name.startswith(room) or term in name.rpartition("/")[2]
    return next((word for word in words if not (at_home and word.lower().startswith(term))), "")


def drawn(source: str) -> Iterator[str]:
    """Texts with a blank in Python that are no docstrings: what could be drawn somewhere."""
    tree = ast.parse(source)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    } | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docs
            and " " in node.value
        ):
            yield " ".join(node.value.split())


def test_sentences_of_the_code_use_the_terms() -> None:
    root = pages.TEMPLATES.parent / "app"
    files = {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*.py"))}
    private = [
        f"{name}: {word} in {text[:90]}"
        for name, source in files.items()
        if name not in KEPT and SAID.search(source)
        for text in drawn(source)
        if (word := private_word(name, text))
    ]

    assert private == []
    assert set(KEPT) <= set(files)


def test_templates_use_the_terms_in_sentences_too() -> None:
    private = [
        f"{name}: {word} in {text[:90]}"
        for name, path in TEMPLATES.items()
        for text in texts(path.read_text())
        if " " in text and (word := private_word(name, text))
    ]

    assert private == []


def test_no_number_has_a_hyphen_before_it_or_its_percent_sign_too_near() -> None:
    """Filters know the minus and the one form of a share; a sign beside an expression was typed by hand."""
    slips = []
    for name, path in TEMPLATES.items():
        for output in PARSER.parse(path.read_text()).find_all(nodes.Output):
            for before, after in pairwise(output.nodes):
                said = [one.data if isinstance(one, nodes.TemplateData) else None for one in (before, after)]
                in_tag = said[0] is not None and said[0].rfind("<") > said[0].rfind(">")
                hyphen = said[1] is None and not in_tag and re.search(r"[\s>(]-$", said[0] or "")
                percent = said[0] is None and (said[1] or "").startswith("%") and not (said[1] or "").startswith('%"')
                if hyphen or percent:
                    slips.append(f"{name}: {said}")

    assert slips == []
    assert (share_text(-0.5), points(-0.052), share_text(0.741)) == ("\u221250.0 %", "\u22125.2 points", "74.1 %")


@pytest.mark.parametrize(
    ("stored", "today"),
    [
        ("No arm has been run here yet.", "No variant has been run here yet."),
        ("You said 500; only an upload counts.", "Self-reported: 500; only an upload counts."),
        ("You said that experts would disagree.", "Self-reported: experts would disagree."),
        ("You may train on these rows, you said.", "You may train on these rows (self-reported)."),
        ("Keep at least 1,000 rows aside that no prompt sees.", "Hold out at least 1,000 rows that no prompt sees."),
        ("Every training row carries the looked-up text.", "Every training row carries the retrieved passages."),
        ("The charm of an army is learned.", "The charm of an army is learned."),
        ("exact_match, target 90.0 %, set before any result.", "Exact match, target 90 %, set before any result."),
        ("chrf, target 62.5 %, set after it.", "chrF, target 62.5 %, set after it."),
        ("68.2 % (61.8-74.0 %) on 220 rows; target 90.0 %.", "68.2 % (61.8 to 74.0 %) on 220 rows; target 90 %."),
    ],
)
def test_what_was_approved_stays_as_it_is_and_is_said_in_todays_words(stored: str, today: str) -> None:
    assert glossary.todays(stored) == today


def test_no_sentence_of_the_policy_says_a_private_word_on_a_page() -> None:
    texts_of_policy = [
        *(gate.why for gate in POLICY.gates.values()),
        *(gate.meanwhile for gate in POLICY.gates.values()),
        *(POLICY.in_general(gate.id, name) for gate in POLICY.gates.values() for name in gate.sayings),
        *(weight.because for weight in POLICY.weights),
        *(factor.why for factor in POLICY.factors.values()),
        *(text for rule in POLICY.verdict.values() for text in (rule.when, rule.then, rule.because)),
        *(threshold.because for threshold in POLICY.thresholds),
    ]

    assert [text for text in map(glossary.todays, texts_of_policy) if SAID.search(text)] == []


def test_the_policy_that_comes_with_the_app_keeps_its_hash() -> None:
    """Its titles and sentences are labelled beside it, never changed: approvals and published policies rest on them."""
    assert POLICY.sha256 == "0b0792188bc1897a5ed6dd19fa1b61e1906cfb2a17388ac14ba3c536b171079d"


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


def test_the_api_describes_an_answer_as_pages_ask_for_it() -> None:
    for model in (Answers, CaseAnswers):
        described = {name: field.description for name, field in model.model_fields.items()}

        assert described["metric"] == glossary.label("case.metric")
        assert all((described[key] or "").startswith(question.label) for key, question in ASKED.items())
