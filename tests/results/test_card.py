"""The card and the facts beside an adapter: read back by what reads them elsewhere."""

from dataclasses import replace
from typing import Any

import pytest
import yaml

from app.evaluation.comparison import Pair, compare
from app.results import card, evaluation_file
from app.results.card import ArmFacts, CardFacts

COMPARED = compare([Pair(row, 0.0, 1.0) for row in range(30)] + [Pair(30, 1.0, 0.0)], binary=True)
FACTS = CardFacts(
    name="Code comments",
    base_model="someone/tiny",
    revision="files-0123456789ab",
    metric="exact_match",
    target=0.9,
    instructions="Write the comment.",
    arms=[
        ArmFacts("zero_shot", "Instructions alone", 0.4, 0.3, 0.5, 31, 0),
        ArmFacts("few_shot_nearest", "Nearest | five", 0.5, 0.4, 0.6, 1200, 3),
    ],
    adapter=ArmFacts("adapter/7", "Adapter", 0.875, 0.8, 0.93, 31, 0),
    compared_with="Nearest | five",
    compared=COMPARED,
    recipe={"rank": 8, "learning_rate": 0.0002},
    train_rows=1050,
    data_sha256="d" * 64,
    digest="e" * 64,
    training_id=7,
    made_on="2026-03-01",
)


def front(facts: CardFacts) -> dict[str, Any]:
    """The front matter, as a model hub reads it."""
    _, head, _ = card.card(facts).split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(head)
    return found


def table(text: str) -> list[list[str]]:
    """The cells of the table of arms, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_front_matter_names_weights_data_and_licence() -> None:
    found = front(replace(FACTS, published="team/model", made="expanded from 4 bits", licence="apache-2.0"))

    assert (found["license"], found["license_name"], found["license_link"]) == ("other", "not-chosen", "README.md")
    assert found["metrics"] == ["exact_match"]
    assert found["base_model"] == "team/model"
    assert found["tunegate"] == {
        "base_weights": "someone/tiny",
        "base_revision": "files-0123456789ab",
        "base_license": "apache-2.0",
        "base_made_from": "expanded from 4 bits",
        "training_data_sha256": "d" * 64,
        "training_rows": 1050,
        "approved_subject": "e" * 64,
    }
    assert "datasets" not in found, "the rows are on no hub"


def test_a_hub_finds_the_base_and_the_adapters_score() -> None:
    found = front(FACTS)

    assert found["base_model"] == "someone/tiny"
    assert (found["library_name"], found["base_model_relation"]) == ("peft", "adapter")
    [model] = found["model-index"]
    [metric] = model["results"][0]["metrics"]
    assert model["name"] == "Code comments"
    assert (metric["type"], metric["value"]) == ("exact_match", 0.875)


def test_an_adapter_without_a_score_claims_none() -> None:
    facts = replace(FACTS, adapter=None, compared=None)

    assert "model-index" not in front(facts)
    assert len(table(card.card(facts))) == 2


@pytest.mark.parametrize("name", ["Model: large", "# first", "{a}", "- x", 'the "best"', "yes", "1.0", "a\\b", "ü ✓"])
def test_a_name_is_a_name_whatever_signs_are_in_it(name: str) -> None:
    found = front(replace(FACTS, base_model=name, name=name))

    assert found["base_model"] == name
    assert found["model-index"][0]["name"] == name


def test_every_arm_has_its_line_and_the_adapter_comes_last() -> None:
    assert table(card.card(FACTS)) == [
        ["Instructions alone", "40.0 %", "30.0 % to 50.0 %", "31", "0"],
        ["Nearest / five", "50.0 %", "40.0 % to 60.0 %", "1,200", "3"],
        ["Adapter", "87.5 %", "80.0 % to 93.0 %", "31", "0"],
    ]


@pytest.mark.parametrize("instructions", ["", "Say `this`.\n```\nx\n```\nand that", "````"])
def test_the_instructions_stand_in_one_block_whatever_is_in_them(instructions: str) -> None:
    lines = card.card(replace(FACTS, instructions=instructions)).splitlines()

    fence = lines[
        lines.index("The prompt is the base model's own chat template with these instructions as the system turn:") + 2
    ]
    start = lines.index(fence)
    end = lines.index(fence, start + 1)
    assert set(fence) == {"`"}
    assert "\n".join(lines[start + 1 : end]) == (instructions or "(none)")
    assert any(line.startswith("vllm serve") for line in lines[end:])


def test_the_machine_readable_results_have_every_arm_and_the_pair() -> None:
    found: Any = evaluation_file.evaluation(FACTS)

    assert list(found["results"]) == ["zero_shot", "few_shot_nearest", "adapter/7"]
    assert found["results"]["few_shot_nearest"] == {
        "exact_match": 0.5, "ci_low": 0.4, "ci_high": 0.6, "n-samples": 1200, "errors": 3,
    }  # fmt: skip
    [pair] = found["pairwise"]
    assert (pair["gained"], pair["lost"], pair["n"], pair["verdict"]) == (30, 1, 31, "improved")
    assert pair["ci"] == [COMPARED.low, COMPARED.high]
    assert found["configs"]["target"] == 0.9


def test_no_pair_is_claimed_where_nothing_was_compared() -> None:
    assert evaluation_file.evaluation(replace(FACTS, compared=None))["pairwise"] == []


def test_sums_are_in_the_form_that_sha256sum_checks() -> None:
    assert card.sums({"b": "2" * 64, "a": "1" * 64}) == f"{'1' * 64}  a\n{'2' * 64}  b\n"
