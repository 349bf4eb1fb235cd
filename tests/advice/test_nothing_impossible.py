"""Nothing asks for what the app cannot do yet; what is missing is named with something that can be done instead."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from app.advice.case import parse
from app.advice.facts import derive_facts
from app.advice.gates.prompting import UNAVAILABLE, arms_lacking, arms_needed
from app.advice.policy_file import POLICY
from app.advice.sentences.gates import Gate
from app.advice.verdict import advise
from tests.support.depth import depth
from tests.support.golden import case
from tests.support.random_cases import random_case

Json = dict[str, Any]

CASES = depth(30, 1500)
NOT_HERE = ("oracle_gain", "rows_carry_context", "agreement_kappa")  # nothing in the app measures them
IMPOSSIBLE = (
    "gold passage lifted", "gold passage given was", "gold passage given were", "looked-up passages",
    "RAG was the best variant", "Oracle retrieval w",
    "held to a schema", "two people who label", "carried its retrieved passages", "Run the arm", "Run: answers held",
    "have two people label the same",
)  # fmt: skip


def as_here(data: Json) -> Json:
    """The case as this app could have measured it."""
    measured = data["measured"]
    for key in NOT_HERE:
        measured[key] = None
    for part in [measured.get("baseline") or {}]:
        part["arms"] = [arm for arm in part.get("arms", ()) if arm not in UNAVAILABLE]
        if part.get("best_arm") in UNAVAILABLE:
            part["best_arm"] = part["arms"][0] if part["arms"] else None
    measured["arms"] = {arm: found for arm, found in (measured.get("arms") or {}).items() if arm not in UNAVAILABLE}
    return data


def cases() -> Iterator[Json]:
    random = Random(9)
    for _ in range(CASES):
        yield as_here(random_case(random))


def gate(data: Json, name: str) -> Gate:
    return next(one for one in advise(parse(data)).gates if one.id == name)


def test_no_flip_and_no_criterion_sends_anybody_to_what_is_not_there() -> None:
    for data in cases():
        advice = advise(parse(data))
        texts = [flip.text for flip in advice.flips] + [found.change for found in advice.gates]
        for text in texts:
            assert not any(words in text for words in IMPOSSIBLE), text


def test_what_would_unlock_is_within_reach() -> None:
    """No change that is shown names a value that nothing here can measure."""
    for data in cases():
        for flip in advise(parse(data)).flips:
            assert not {*NOT_HERE} & flip.change.keys(), flip.text
            arms = flip.change.get("baseline", {}).get("arms", ())
            assert not {*UNAVAILABLE} & {*arms}, flip.text


SHAPED: Json = {"goals": ["format"], "main_goal": "format", "checker_helps": "most"}


def test_a_schema_is_named_and_an_honest_answer_gets_past_it() -> None:
    found = gate(as_here(case(SHAPED)), "G5")

    assert found.state == "unknown"
    assert "Not available here yet: answers held to a schema." in found.measured
    assert "with tools of your own" in found.change
    assert "answer anew" in found.change
    tried = advise(parse(as_here(case({**SHAPED, "checker_helps": "partly"}))))
    assert tried.training == "ready"


def test_where_a_checker_would_do_training_is_no_readier_than_before() -> None:
    advice = advise(parse(as_here(case(SHAPED))))

    assert (advice.approach, advice.training, advice.technique) == ("prompt", "locked", "schema")


@pytest.mark.parametrize("main", ["facts", "style"])
def test_facts_are_still_looked_up(main: str) -> None:
    data = as_here(
        case({"goals": ["facts", "style"], "main_goal": main, "fact_change": "monthly", "corpus_tokens": 9**8})
    )
    advice = advise(parse(data))

    assert (advice.approach, advice.training) == ("rag", "locked")
    found = gate(data, "G5")
    assert found.state == "unknown"
    assert "Look the facts up." in found.change
    assert "begin an assessment of those rows" in found.change


def test_rows_that_carry_their_facts_are_an_honest_way_to_ready() -> None:
    """What G5 and G2 name: the looked-up text is part of the input, so no outside facts are asked for."""
    advice = advise(parse(as_here(case({"fact_change": "none", "corpus_tokens": 5000}))))

    assert (advice.approach, advice.training) == ("fine_tune", "ready")


def test_tagged_failures_settle_what_the_missing_arm_would() -> None:
    data = as_here(case({"fact_change": "monthly", "corpus_tokens": 5000}))
    assert gate(data, "G2").state == "pass"
    assert gate(data, "G2").how == "measured"

    data["measured"]["failure_causes"] = {"behaviour": 20, "facts": 20}
    assert gate(data, "G2").state == "fail"


def test_two_people_are_not_sent_to_label_here() -> None:
    found = gate(as_here(case({"label_agreement": "low"})), "G8")

    assert found.state == "fail"
    assert "not available here yet" in found.change
    assert "answer this question again" in found.change
    assert gate(as_here(case({"label_agreement": "medium"})), "G8").state == "pass"


def test_wanting_facts_asks_for_no_arm_that_cannot_be_run() -> None:
    data = parse(as_here(case({"goals": ["facts", "style"]})))

    facts = derive_facts(data, POLICY)
    assert not {*UNAVAILABLE} & {*arms_needed(data, facts)}
    assert arms_lacking(data, facts) == ["rag", "oracle"]
