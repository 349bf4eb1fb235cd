"""What the shared sets say about themselves, whole and altered; and that odd answers only get an odd kind."""

import codecs
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets import duplicates, signals
from app.datasets.formats import Record
from app.datasets.reading import read
from app.datasets.rows import question

Pairs = list[tuple[str, str]]


class Texts:
    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def pair(self, index: int) -> tuple[str, str]:
        return self.pairs[index]


def measure(pairs: Pairs, lines: Sequence[int] | None = None) -> dict[str, Any]:
    answers = [duplicates.key(answer) for _, answer in pairs]
    return signals.measure(Texts(pairs), lines or range(1, len(pairs) + 1), answers)


def load(path: Path) -> Pairs:
    with path.open("rb") as file:
        return [(question(item), item.target) for item in read(file) if isinstance(item, Record)]


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def scrambled(text: str) -> str:
    """The text in a language that nobody has a word list of."""
    return codecs.encode(text, "rot13")


# What each README says the set is: kind of answer, knowledge, share a schema would hold (at least), first goal.
TOLD = {
    "phpdoc/phpdoc.jsonl": ("code", {"unlikely", "unclear"}, 0, "format"),
    "phpdoc/small_300.jsonl": ("code", {"unlikely", "unclear"}, 0, "format"),
    "phpdoc/sample.jsonl": ("code", {"unlikely", "unclear"}, 0, "format"),
    "phpdoc/neardup_1500.jsonl": ("code", {"unlikely", "unclear"}, 0, "format"),
    "intent_banking77/train.jsonl": ("label", {"unlikely"}, 0.95, "classify"),
    "intent_banking77/test.jsonl": ("label", {"unlikely"}, 0.95, "classify"),
    "slots_snips/train.jsonl": ("json", {"unlikely"}, 0.99, "extract"),
    "slots_snips/test.jsonl": ("json", {"unlikely"}, 0.99, "extract"),
    "text2sql/advising_train.jsonl": ("sql", {"unlikely"}, 0, "tools"),
    "text2sql/advising_test.jsonl": ("sql", {"unlikely"}, 0, "tools"),
    "text2sql/wikisql_train.jsonl": ("sql", {"unlikely"}, 0, "tools"),
    "text2sql/wikisql_test.jsonl": ("sql", {"unlikely"}, 0, "tools"),
    "summarise_peps/summaries.jsonl": ("prose", {"unlikely"}, 0, "general"),
    "rag_wiki/closed_book.jsonl": ("prose", {"likely"}, 0, "facts"),
    "rag_pyfaq/closed_book.jsonl": ("prose", {"likely"}, 0, "facts"),
    # Questions of general knowledge answered without a source, and jobs of all kinds.
    "chat/alpaca.jsonl": ("prose", {"likely"}, 0, "facts"),
    "chat/alpaca_with_input.jsonl": ("prose", {"unclear", "unlikely"}, 0, "general"),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_shared_sets_are_what_their_readmes_say(shared: Path, name: str) -> None:
    kind, knowledge, schema, goal = TOLD[name]

    found = measure(load(shared / "data" / name))

    assert found["output_kind"] == kind
    assert found["knowledge"] in knowledge
    assert found["schema_share"] >= schema
    assert found["schema_share"] <= 0.05 or schema
    assert found["goals"][0] == goal
    assert found["kind_shares"][kind] >= 0.8


ALTERED: dict[str, Callable[[Pairs], Pairs]] = {
    "the first hundred": lambda pairs: pairs[:100],
    "every third": lambda pairs: pairs[::3],
    "in lower case": lambda pairs: [(asked.lower(), answer.lower()) for asked, answer in pairs],
    "in no language": lambda pairs: [(scrambled(asked), scrambled(answer)) for asked, answer in pairs],
    "in five wordings": lambda pairs: [
        (f"{start} {asked}", answer)
        for asked, answer in pairs[:60]
        for start in ("Tell me:", "Quickly:", "For a client:", "Once more:", "I wonder:")
    ],
}
NOT_KNOWLEDGE = (
    "phpdoc/phpdoc.jsonl",
    "intent_banking77/test.jsonl",
    "slots_snips/test.jsonl",
    "text2sql/wikisql_test.jsonl",
)


@pytest.mark.parametrize("change", ALTERED)
@pytest.mark.parametrize("name", ["rag_wiki/closed_book.jsonl", "rag_pyfaq/closed_book.jsonl"])
def test_facts_are_facts_however_they_are_written(shared: Path, name: str, change: str) -> None:
    assert measure(ALTERED[change](load(shared / "data" / name)))["knowledge"] == "likely"


@pytest.mark.parametrize("change", ALTERED)
@pytest.mark.parametrize("name", NOT_KNOWLEDGE)
def test_behaviour_is_behaviour_however_it_is_written(shared: Path, name: str, change: str) -> None:
    assert measure(ALTERED[change](load(shared / "data" / name)))["knowledge"] != "likely"


def test_questions_need_no_question_mark(shared: Path) -> None:
    pairs = load(shared / "data" / "rag_wiki" / "closed_book.jsonl")

    assert measure([(asked.replace("?", ""), answer) for asked, answer in pairs])["knowledge"] == "likely"


def test_with_the_passage_in_the_question_nothing_is_missing(shared: Path) -> None:
    folder = shared / "data" / "rag_wiki"
    texts = {one["id"]: one["text"] for one in objects(folder / "paragraphs.jsonl")}
    asked = objects(folder / "questions.jsonl")

    found = measure([(f"{texts[one['paragraph_ids'][0]]}\n\n{one['question']}", one["answer"]) for one in asked])

    assert (found["knowledge"], found["novelty"]) == ("unlikely", 0.0)


def test_a_translation_is_no_knowledge(shared: Path) -> None:
    pairs = load(shared / "data" / "rag_pyfaq" / "closed_book.jsonl")

    found = measure([(asked, scrambled(asked)) for asked, _ in pairs])

    assert found["knowledge"] != "likely"
    assert "languages" in [one["signal"] for one in found["evidence"]]


def test_a_few_facts_asked_in_many_words_are_facts() -> None:
    facts = [
        ("refund period", "Refunds are paid within 14 days of the return."),
        ("price of a second badge", "A second badge costs 35 euros."),
        ("lost parcel rule", "Parcels count as lost after 21 working days."),
        ("support hours", "Support answers from 7:30 to 19:00 on weekdays."),
        ("warranty on batteries", "Batteries carry a warranty of 18 months."),
        ("annual leave", "Everyone has 29 days of leave, 12 of them in summer."),
        ("expense limit", "Meals are paid up to 42 euros a day."),
        ("uptime promise", "The Vesper plan promises 99.95% a month."),
    ]
    starts = ("What is the {}?", "Can you tell me the {}?", "hi, {}?", "Remind me of the {}?", "Is there a {}?")

    found = measure([(start.format(topic), answer) for topic, answer in facts for start in starts])

    assert found["knowledge"] == "likely"
    assert found["distinct_answers"] == 8
    assert any(one["signal"] == "distinct_answers" and "same few facts" in one["text"] for one in found["evidence"])


def test_labels_at_random_are_labels_and_no_knowledge(shared: Path) -> None:
    pairs = load(shared / "data" / "intent_banking77" / "test.jsonl")
    labels = sorted({answer for _, answer in pairs})

    found = measure([(asked, labels[duplicates.key(asked) % len(labels)]) for asked, _ in pairs])

    assert (found["output_kind"], found["knowledge"], found["goals"]) == ("label", "unlikely", ["classify"])


def test_evidence_names_lines_that_show_it(shared: Path) -> None:
    pairs = load(shared / "data" / "rag_wiki" / "closed_book.jsonl")

    found = measure(pairs, range(1001, 1001 + len(pairs)))

    new = next(one for one in found["evidence"] if one["signal"] == "novelty")
    assert new["share"] == found["novelty"]
    for line in new["lines"]:
        asked, answer = pairs[line - 1001]
        assert answer.casefold() not in asked.casefold()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ("Select the best option from the list and say where it is.", "prose"),
        ("SELECT TOP 5 [Name] FROM dbo.People WHERE Age > 30 ORDER BY Name", "sql"),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "sql"),
        ("drop it here", "prose"),
        ('{"a": 1}', "json"),
        ("{not json: at all}", "code"),
        ("for x in range(3):\n    print(x)\n", "code"),
        ("Here is how:\n```python\nimport os\nfor name in os.listdir():\n    print(name)\n```", "code"),
        ("print(x)", "code"),
        ("The total (with tax) is 40, the rest [see below] is open.", "prose"),
        ("- first do this\n- then that\n- and go home", "prose"),
        ("/** Gets the name. */", "code"),
        ("42", "prose"),
        ("", "prose"),
    ],
)
def test_kinds_of_single_answers(answer: str, kind: str) -> None:
    assert list(measure([("Do it.", answer)])["kind_shares"]) == [kind]


@pytest.mark.parametrize(
    ("answer", "cites"),
    [
        ("Water boils at 100 degrees [1].", True),
        ("It was shown before (Miller, 2019).", True),
        ("See https://example.org/a for more.", True),
        ("Under \u00a7 433 the seller owes the thing.", True),
        ("Returns are free [returns.md].", True),
        ("A list [of things] and a year (2019).", False),
        ("x[0] is the first element", False),
    ],
)
def test_what_counts_as_a_source(answer: str, cites: bool) -> None:
    assert measure([("How?", answer)])["cites"] == float(cites)


def test_a_file_without_rows() -> None:
    found = measure([])

    assert (found["rows"], found["evidence"], found["knowledge"], found["goals"]) == (0, [], "unclear", [])


NASTY = st.sampled_from(
    ["[" * 3000, "(" * 3000, "-" * 3000 + "1", "SELECT " + "(" * 3000, '{"a":' * 900, "\0", "\ud800"]
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=40) | NASTY, st.text(max_size=40) | NASTY), max_size=30))
def test_nothing_that_can_be_written_upsets_it(pairs: Pairs) -> None:
    found = measure(pairs)

    assert json.loads(json.dumps(found)) == found
    assert sum(found["kind_shares"].values()) == pytest.approx(1.0 if pairs else 0.0, abs=0.01)
    for key in ("novelty", "uncovered", "questions", "cites", "schema_share", "distinct_share"):
        assert 0 <= found[key] <= 1
