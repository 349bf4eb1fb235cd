"""What real sets say about themselves, whole and altered; and that odd answers only get an odd kind."""

import codecs
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.checks import compared_text, task_signals
from app.datasets.checks.report_json import fields_of
from tests.support.examples import load
from tests.support.places import DATA

Pairs = list[tuple[str, str]]
FAQ = DATA / "rag_pyfaq" / "closed_book.jsonl"


class Texts:
    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def pair(self, index: int) -> tuple[str, str]:
        return self.pairs[index]


def measure(pairs: Pairs, lines: Sequence[int] | None = None) -> dict[str, Any]:
    answers = [compared_text.key(answer) for _, answer in pairs]
    return fields_of(task_signals.measure(Texts(pairs), lines or range(1, len(pairs) + 1), answers))


def objects(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def scrambled(text: str) -> str:
    """The text in a language that nobody has a word list of."""
    return codecs.encode(text, "rot13")


# What each README says the set is: kind of answer, knowledge, share a schema would hold (at least), first goal.
Told = tuple[str, set[str], float, str]
SMALL: dict[str, Told] = {
    "phpdoc/small_300.jsonl": ("code", {"unlikely", "unclear"}, 0, "format"),
    "phpdoc/neardup_279.jsonl": ("code", {"unlikely", "unclear"}, 0, "format"),
    "intent_banking77/train_700.jsonl": ("label", {"unlikely"}, 0.95, "classify"),
    "slots_snips/train_200.jsonl": ("json", {"unlikely"}, 0.99, "extract"),
    "text2sql/wikisql_200.jsonl": ("sql", {"unlikely"}, 0, "tools"),
    "summarise_peps/summaries_60.jsonl": ("prose", {"unlikely"}, 0, "general"),
    "rag_pyfaq/closed_book.jsonl": ("prose", {"likely"}, 0, "facts"),
    "chat/alpaca_with_input_120.jsonl": ("prose", {"unclear", "unlikely"}, 0, "general"),
}
LARGE: dict[str, Told] = {
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


@pytest.mark.parametrize("name", SMALL)
def test_real_sets_are_what_their_readmes_say(name: str) -> None:
    is_what_it_is_called(DATA / name, SMALL[name])


@pytest.mark.deep
@pytest.mark.parametrize("name", LARGE)
def test_large_sets_are_what_their_readmes_say(sets: Path, name: str) -> None:
    is_what_it_is_called(sets / name, LARGE[name])


def is_what_it_is_called(path: Path, expected: Told) -> None:
    kind, knowledge, schema, goal = expected

    found = measure(load(path))

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
def test_facts_are_facts_however_they_are_written(change: str) -> None:
    assert measure(ALTERED[change](load(FAQ)))["knowledge"] == "likely"


@pytest.mark.parametrize("change", ALTERED)
@pytest.mark.parametrize(
    "name", ["phpdoc/small_300.jsonl", "slots_snips/train_200.jsonl", "text2sql/wikisql_200.jsonl"]
)
def test_behaviour_is_behaviour_however_it_is_written(name: str, change: str) -> None:
    assert measure(ALTERED[change](load(DATA / name)))["knowledge"] != "likely"


@pytest.mark.deep
@pytest.mark.parametrize("change", ALTERED)
@pytest.mark.parametrize("name", ["rag_wiki/closed_book.jsonl", "rag_pyfaq/closed_book.jsonl"])
def test_facts_of_large_sets_are_facts_however_they_are_written(sets: Path, name: str, change: str) -> None:
    assert measure(ALTERED[change](load(sets / name)))["knowledge"] == "likely"


@pytest.mark.deep
@pytest.mark.parametrize("change", ALTERED)
@pytest.mark.parametrize("name", NOT_KNOWLEDGE)
def test_behaviour_of_large_sets_is_behaviour_however_it_is_written(sets: Path, name: str, change: str) -> None:
    assert measure(ALTERED[change](load(sets / name)))["knowledge"] != "likely"


@pytest.mark.deep
def test_questions_need_no_question_mark(sets: Path) -> None:
    pairs = load(sets / "rag_wiki" / "closed_book.jsonl")

    assert measure([(asked.replace("?", ""), answer) for asked, answer in pairs])["knowledge"] == "likely"


def test_with_the_answer_in_the_question_nothing_is_missing() -> None:
    """The FAQ's own answers as passages, and a part of each asked for."""
    asked = [(f"{answer}\n\n{question}", answer[:200].rsplit(maxsplit=1)[0]) for question, answer in load(FAQ)]

    found = measure(asked)

    assert (found["knowledge"], found["novelty"]) == ("unlikely", 0.0)


@pytest.mark.deep
def test_with_the_passage_in_the_question_nothing_is_missing(sets: Path) -> None:
    folder = sets / "rag_wiki"
    texts = {one["id"]: one["text"] for one in objects(folder / "paragraphs.jsonl")}
    asked = objects(folder / "questions.jsonl")

    found = measure([(f"{texts[one['paragraph_ids'][0]]}\n\n{one['question']}", one["answer"]) for one in asked])

    assert (found["knowledge"], found["novelty"]) == ("unlikely", 0.0)


def test_a_translation_is_no_knowledge() -> None:
    pairs = load(FAQ)

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


def test_labels_at_random_are_labels_and_no_knowledge() -> None:
    at_random(load(DATA / "intent_banking77" / "train_700.jsonl"))


@pytest.mark.deep
def test_labels_at_random_of_77_are_labels_and_no_knowledge(sets: Path) -> None:
    at_random(load(sets / "intent_banking77" / "test.jsonl"))


def at_random(pairs: Pairs) -> None:
    labels = sorted({answer for _, answer in pairs})

    found = measure([(asked, labels[compared_text.key(asked) % len(labels)]) for asked, _ in pairs])

    assert (found["output_kind"], found["knowledge"], found["goals"]) == ("label", "unlikely", ["classify"])


def test_evidence_names_lines_that_show_it() -> None:
    shown_by_lines(load(FAQ))


@pytest.mark.deep
def test_evidence_names_lines_of_a_large_set_that_show_it(sets: Path) -> None:
    shown_by_lines(load(sets / "rag_wiki" / "closed_book.jsonl"))


def shown_by_lines(pairs: Pairs) -> None:
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


@given(st.lists(st.tuples(st.text(max_size=40) | NASTY, st.text(max_size=40) | NASTY), max_size=30))
def test_nothing_that_can_be_written_upsets_it(pairs: Pairs) -> None:
    found = measure(pairs)

    assert json.loads(json.dumps(found)) == found
    assert sum(found["kind_shares"].values()) == pytest.approx(1.0 if pairs else 0.0, abs=0.01)
    for key in ("novelty", "uncovered", "questions", "cites", "schema_share", "distinct_share"):
        assert 0 <= found[key] <= 1


# ---------------------------------------------------------------------- jobs that no set holds
NAMES = [a + b for a in ("Kar", "Bel", "Tor", "Vin", "Sam", "Lor") for b in ("ona", "ike", "avel", "ento", "usk")]
TOWNS = [a + b for a in ("Lind", "Alt", "Gross", "West", "Ober") for b in ("heim", "feld", "tal", "berg", "dorf", "au")]
CITIES = [a + b for a in "江山河海云风林石金水" for b in ("州", "城", "县", "湾", "镇", "岭")]
THINGS = [f"{a} {b}" for a in ("broken", "late", "loud", "cold", "pale") for b in ("lamp", "chair", "desk", "fan")]
EN = ["the house is old", "we go home late", "the train was full", "nobody knew the way", "it rains every day"]
DE = ["das Haus ist alt", "wir gehen spät heim", "der Zug war voll", "niemand kannte den Weg", "es regnet jeden Tag"]
ZH = ["房子很旧", "我们很晚回家", "火车很满", "没人知道路", "每天都下雨"]
MINUTES = " ".join(f"In {{t}} the council spoke of the {thing} of {{n}}." for thing in THINGS[:8])

# Kind of answer, knowledge, question, and the answers, of which each row gets one by lot.
JOBS: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    "facts": ("prose", "likely", "When was the mill of {t} opened?", ("It was opened in {y} by {n} {m}.",)),
    "facts, German": (
        *("prose", "likely", "Wer hat die Brücke in {t} gebaut?"),
        ("Die Baumeisterin {n} {m} hat sie {y} errichtet.",),
    ),
    "facts, Chinese": (
        "prose",
        "likely",
        "{c}的博物馆是哪一年建成的\uff1f",
        ("{c}的博物馆建成于{y}年\uff0c由王{w}设计。",),
    ),
    "facts, Japanese, no mark": (
        *("prose", "likely", "{c}駅の近くの図書館は何時に閉まりますか。"),
        ("{d}時{e}分に閉まります。電話は0{d}-{y}です。",),
    ),
    "prices": ("prose", "likely", "What does the {o} number {k} cost?", ("The {o} costs {y}.{d} euros.",)),
    "rules in other words": (
        *("prose", "likely", "Can I return a {o} from {t}?"),
        ("Yes, within {y} hours if {n} signed the form.", "No. The {m} rule of {y} forbids it."),
    ),
    "citations": (
        *("prose", "likely", "What does the rule say about the {o} number {k}?"),
        ("It goes back within {y} hours to the {n} office of {m} [{d}].",),
    ),
    "stock replies": (
        *("prose", "unlikely", "Where is my {o}? I paid in {t} on day {k}"),
        ("Thank you. We answer within a day.", "Sorry. Please send us the number.", "It is on its way; please wait."),
    ),
    "politeness": (
        *("prose", "unlikely", "Rewrite politely: the {o} of {n} came and nobody told me"),
        ("Would you kindly note that the {o} of {n} came without word to me?",),
    ),
    "a voice": (
        "prose",
        "unlikely",
        "How do I clean a {o}?",
        ("Arr, take a rag to that {o}, matey, till she shines!",),
    ),
    "letters, German": (
        *("prose", "unlikely", "Können Sie mir die Rechnung für {t} schicken? Gruß, {n}"),
        ("Guten Tag {n}, gern schicken wir Ihnen die Rechnung für {t}. Mit freundlichen Grüßen",),
    ),
    "politeness, Chinese": (
        *("prose", "unlikely", "请把这句话改得更礼貌\uff1a把{c}的报告给我"),
        ("您好\uff0c麻烦您方便时把{c}的报告发给我\uff0c谢谢。",),
    ),
    "summaries": ("prose", "unlikely", "Summarise:\n" + MINUTES, ("The council of {t} spoke of {n}.",)),
    "translation": ("prose", "unlikely", "{en1} and {en2}", ("{de1} und {de2}",)),
    "translation, Chinese": ("prose", "unlikely", "{en1} and {en2}", ("{zh1}\uff0c而且{zh2}。",)),
    "answers from a passage": (
        *("prose", "unlikely", "The mill of {t} belongs to {n} {m} since {y}.\n\nWho owns the mill of {t}?"),
        ("{n} {m}, since {y}.",),
    ),
    "labels": ("label", "unlikely", "my {o} is gone since {d} days", ("refund", "repair", "question")),
    "labels, several": ("label", "unlikely", "my {o} of {t} is gone", ("refund", "refund, repair", "praise, refund")),
    "labels, Chinese": ("label", "unlikely", "{c}的包裹{y}有问题", ("退款", "物流", "账户")),
    "extraction": ("json", "unlikely", "Order of {n} from {t}: {d} pieces", ('{{"name": "{n}", "pieces": {d}}}',)),
    "facts as JSON": ("json", "unclear", "Who runs the works of {t}?", ('{{"owner": "{n} {m}", "since": {y}}}',)),
    "code": (
        *("code", "unlikely", "Write a function that gives {d} times what it is given, for a {o}"),
        ("def times_{d}(value):\n    total = value * {d}\n    return total\n",),
    ),
    "SQL, German": (
        *("sql", "unlikely", "Wie viele Stück sind in {t} seit {d} Tagen da?"),
        ("SELECT COUNT(*) FROM lager WHERE ort = '{t}' AND tage > {d};",),
    ),
}


def filled(question: str, answers: Sequence[str]) -> Pairs:
    draw = random.Random(3)
    pairs = []
    for k in range(60):
        i, j = draw.sample(range(5), 2)
        given = {"k": k, "t": TOWNS[k % 30], "c": CITIES[k], "o": THINGS[k % 20], "en1": EN[i], "en2": EN[j]}
        given |= {"de1": DE[i], "de2": DE[j], "zh1": ZH[i], "zh2": ZH[j], "y": draw.randrange(1100, 1990)}
        given |= {"n": draw.choice(NAMES), "m": draw.choice(NAMES), "d": draw.randrange(17, 23)}
        given |= {"e": draw.randrange(10, 59), "w": draw.choice("伟芳娜敏静强军平霞刚")}
        pairs.append((question.format(**given), draw.choice(answers).format(**given)))
    return pairs


@pytest.mark.parametrize("job", JOBS)
def test_a_job_says_what_it_is(job: str) -> None:
    kind, knowledge, question, answers = JOBS[job]

    found = measure(filled(question, answers))

    assert (found["output_kind"], found["knowledge"]) == (kind, knowledge)


def test_two_jobs_in_one_file_are_mixed() -> None:
    one, other = (filled(*JOBS[job][2:]) for job in ("labels", "extraction"))

    assert (measure(one + other)["output_kind"], measure(one + other)["knowledge"]) == ("mixed", "unlikely")


def test_a_faq_without_question_marks_holds_facts() -> None:
    pairs = load(FAQ)

    assert measure([(asked.replace("?", ""), answer) for asked, answer in pairs])["knowledge"] == "likely"
