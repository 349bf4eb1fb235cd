"""Nothing asks for what cannot be done for this case; where something has to be brought first, it says what."""

from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from app.advice.case import parse
from app.advice.facts import derive_facts
from app.advice.gates.prompting import LOOKED_UP, arms_needed
from app.advice.policy_file import POLICY
from app.advice.scoring import can_compare_labels, can_look_up
from app.advice.sentences.gates import Gate
from app.advice.verdict import advise
from tests.support.depth import depth
from tests.support.golden import case
from tests.support.random_cases import random_case

Json = dict[str, Any]

CASES = depth(30, 1500)
PASSAGES = ("gold passage lifted", "RAG was the best variant", "carried its retrieved passages", "Oracle retrieval w")
LABELS = ("two people who label",)


def without_documents(data: Json) -> Json:
    """The case where there is nothing to retrieve from, and no label to compare."""
    data["answers"]["corpus_tokens"] = data["measured"]["corpus_tokens"] = None
    for key in ("oracle_gain", "rows_carry_context", "agreement_kappa", "signals"):
        data["measured"][key] = None
    for part in [data["measured"].get("baseline") or {}]:
        part["arms"] = [arm for arm in part.get("arms", ()) if arm not in LOOKED_UP]
        if part.get("best_arm") in LOOKED_UP:
            part["best_arm"] = part["arms"][0] if part["arms"] else None
    return data


def cases() -> Iterator[Json]:
    random = Random(9)
    for _ in range(CASES):
        yield random_case(random)


def gate(data: Json, name: str) -> Gate:
    return next(one for one in advise(parse(data)).gates if one.id == name)


def test_no_criterion_says_that_something_is_not_there_yet() -> None:
    for data in cases():
        for found in advise(parse(data)).gates:
            for text in (found.measured, found.needed, found.change):
                assert "available" not in text, text
                assert "spreadsheet" not in text, text


def test_where_there_is_nothing_to_retrieve_from_no_change_needs_a_passage() -> None:
    for data in map(without_documents, cases()):
        parsed = parse(data)
        assert not can_look_up(parsed)
        assert not can_compare_labels(parsed)
        for flip in advise(parsed).flips:
            assert not any(words in flip.text for words in (*PASSAGES, *LABELS)), flip.text
            arms = flip.change.get("baseline", {}).get("arms", ())
            assert not {*LOOKED_UP} & {*arms}, flip.text


SHAPED: Json = {"goals": ["format"], "main_goal": "format", "checker_helps": "most"}


def test_a_schema_is_asked_for_and_running_it_is_the_way() -> None:
    data = case(SHAPED)
    found = gate(data, "G5")
    assert found.state == "fail"
    assert "answers held to a schema" in found.change

    data["measured"]["baseline"]["arms"].append("schema")
    assert gate(data, "G5").state == "pass"
    assert advise(parse(data)).training == "ready"


def test_rows_that_are_json_ask_for_a_schema_whatever_is_said() -> None:
    data = case()
    data["measured"]["signals"] = {"output_kind": "json", "schema_share": 0.9}
    assert "answers held to a schema" in gate(data, "G5").change

    data["measured"]["signals"]["schema_share"] = 0.7
    assert gate(data, "G5").state == "pass"


FACTS: Json = {"goals": ["facts", "style"], "main_goal": "style", "fact_change": "monthly", "corpus_tokens": 9**8}


def test_facts_ask_for_both_arms_and_the_way_leads_to_hybrid() -> None:
    data = case(FACTS)
    data["measured"] |= {"oracle_gain": None, "rows_carry_context": None}
    advice = advise(parse(data))
    assert (advice.approach, advice.training, advice.leaning) == ("rag", "locked", "hybrid")
    assert "looked-up passages" in gate(data, "G5").change
    ways = [flip for flip in advice.flips if (flip.approach, flip.training) == ("hybrid", "ready")]
    assert ways
    assert {"rag", "oracle"} <= set(ways[0].change["baseline"]["arms"])

    data["measured"]["baseline"]["arms"] += ["rag", "oracle"]
    data["measured"] |= {"oracle_gain": 0.2, "rows_carry_context": True}
    reached = advise(parse(data))
    assert (reached.approach, reached.training) == ("hybrid", "ready")


@pytest.mark.parametrize("main", ["facts", "style"])
def test_facts_without_documents_say_what_to_bring(main: str) -> None:
    data = without_documents(case(FACTS | {"main_goal": main}))
    advice = advise(parse(data))

    assert (advice.approach, advice.training) == ("rag", "locked")
    assert "Add the documents that the facts stand in" in gate(data, "G5").change


def test_rows_that_carry_their_facts_are_an_honest_way_to_ready() -> None:
    """The looked-up text is part of the input, so no outside facts are asked for."""
    data = case({"fact_change": "none", "corpus_tokens": 5000})
    data["measured"]["oracle_gain"] = None
    advice = advise(parse(data))

    assert (advice.approach, advice.training) == ("fine_tune", "ready")


def test_tagged_failures_settle_what_the_missing_arm_would() -> None:
    data = case({"fact_change": "monthly", "corpus_tokens": 5000})
    data["measured"]["oracle_gain"] = None
    assert gate(data, "G2").state == "pass"
    assert gate(data, "G2").how == "measured"

    data["measured"]["failure_causes"] = {"behaviour": 20, "facts": 20}
    assert gate(data, "G2").state == "fail"


def test_doubtful_labels_are_sent_to_a_second_person() -> None:
    data = case({"label_agreement": "low"})
    data["measured"] |= {"agreement_kappa": None, "signals": {"output_kind": "label"}}
    assert gate(data, "G8").state == "fail"
    assert "second person label 50 rows" in gate(data, "G8").change

    data["measured"] |= {"agreement_kappa": 0.72, "agreement_rows": 50}
    assert gate(data, "G8").state == "pass"
    assert "kappa 0.72 between two people on 50 rows" in gate(data, "G8").measured

    text = case({"label_agreement": "low"})
    text["measured"] |= {"agreement_kappa": None, "signals": {"output_kind": "prose"}}
    assert "check the answers of 50 rows" in gate(text, "G8").change


@pytest.mark.parametrize(("wrong", "state"), [(5, "pass"), (6, "fail")])
def test_wrong_references_lock(wrong: int, state: str) -> None:
    data = case()
    data["measured"] |= {"references_judged": 50, "references_wrong": wrong}
    assert gate(data, "G8").state == state

    data["measured"]["references_judged"] = 49
    assert gate(data, "G8").state == "pass"


def test_wanting_facts_asks_for_the_arms_that_tell() -> None:
    data = parse(case({"goals": ["facts", "style"]}))

    assert {*LOOKED_UP} <= {*arms_needed(data, derive_facts(data, POLICY), POLICY)}
