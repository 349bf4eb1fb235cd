"""The card and the files beside the adapter name what was measured and trained, and say what came of it."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import Engine, update

from app import glossary
from app.baselines.tables import BaselineRow
from app.blobs import Blobs
from app.db import reading, writing
from app.inference import folders, weights
from app.inference import service as models
from app.inference.tables import ModelRow
from app.results import card, evaluation_file, service
from app.results.card import ArmFacts, CardFacts
from app.training.tables import TrainingRow

FACTS = CardFacts(
    name="Routing",
    base_model=weights.EXPANDED,
    revision="files-0123456789ab",
    metric="pattern",
    target=0.75,
    instructions="Label it.",
    arms=[ArmFacts("few_shot_nearest", "Nearest", 0.5, 0.4, 0.6, 200, 0)],
    adapter=ArmFacts("adapter/7", "Adapter", 0.63, 0.56, 0.69, 200, 0),
    compared_with="Nearest",
    compared=None,
    recipe={"rank": 8},
    train_rows=1050,
    data_sha256="d" * 64,
    digest="e" * 64,
    training_id=7,
    made_on="2026-03-01",
)
EMBEDDED = replace(
    FACTS, published=weights.MODEL, made=weights.MADE, licence=weights.LICENCE, reaches_target=False,
    metric_options={"pattern": r"@\w+`|\$x", "ignore_case": True},
    dev=[ArmFacts("zero_shot", "Instructions alone", 0.1, 0.0, 0.3, 40, 0)],
    libraries={"peft": "0.21.0", "torch": "2.13.0"},
)  # fmt: skip


def evaluated(facts: card.CardFacts) -> Any:
    """evaluation.json, to look into."""
    return evaluation_file.evaluation(facts)


def front(facts: CardFacts) -> dict[str, Any]:
    _, head, _ = card.card(facts).split("---\n", 2)
    found: dict[str, Any] = yaml.safe_load(head)
    return found


def test_the_embedded_weights_are_not_those_of_the_hub_and_both_are_named() -> None:
    text = card.card(EMBEDDED)

    assert weights.GGUF_SHA256 in text
    assert weights.EXPANDED in text
    assert "files-0123456789ab" in text
    assert "These weights are not those that a hub has as `HuggingFaceTB/SmolLM2-135M-Instruct`" in text
    assert "vllm serve BASE_FOLDER " in text, "the hub's name would serve other weights"
    assert front(EMBEDDED)["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    found = evaluated(EMBEDDED)
    assert (found["model_source"], found["model_published_as"]) == (weights.EXPANDED, weights.MODEL)


def test_what_a_hub_has_is_served_by_its_name() -> None:
    assert "vllm serve team/model " in card.card(replace(FACTS, base_model="Our model", published="team/model"))


def test_the_embedded_model_has_a_name_of_its_own_and_its_origin(engine: Engine) -> None:
    row = ModelRow(name="Embedded", kind="bundled", reference="", base_url="", files={"config.json": "0" * 64})

    assert models.public_name(row)[0] == weights.EXPANDED != weights.MODEL
    assert models.origin(None, row).published == weights.MODEL
    assert weights.GGUF_SHA256[:12] in weights.EXPANDED


@pytest.mark.parametrize(
    ("text", "licence"),
    [
        ("---\nlicense: apache-2.0\ntags: []\n---\n# x", "apache-2.0"), ("---\nlicense: 'MIT'\n---\n", "mit"),
        ("# x\nlicense: mit\n", ""), ("---\ntags: []\n---\nlicense: mit\n", ""), ("", ""),
        ("---\nlicense: a b\n---\n", ""),
    ],
)  # fmt: skip
def test_a_folders_own_card_names_its_licence(tmp_path: Path, text: str, licence: str) -> None:
    (tmp_path / "README.md").write_text(text)

    assert folders.licence(tmp_path) == licence
    assert folders.licence(tmp_path / "nowhere") == ""


def test_what_the_metric_was_told_is_said() -> None:
    text = card.card(EMBEDDED)

    assert r"The metric's pattern: ``@\w+`|\$x``." in text
    assert "The metric's ignore case: yes." in text
    assert "The metric's tolerance: 1." in card.card(replace(EMBEDDED, metric_options={"tolerance": 1}))
    assert evaluated(EMBEDDED)["configs"]["metric_options"] == EMBEDDED.metric_options


@pytest.mark.parametrize(("reaches", "sentence"), [(True, "It reaches"), (False, "It does not reach")])
def test_a_target_that_was_missed_is_said(reaches: bool, sentence: str) -> None:
    assert f"{sentence} the target of 75 %." in card.card(replace(EMBEDDED, reaches_target=reaches))
    assert evaluated(replace(EMBEDDED, reaches_target=reaches))["configs"]["reaches_target"] is reaches
    assert "the target of 75 %." not in card.card(replace(EMBEDDED, reaches_target=None))


def test_every_arm_is_in_the_file_on_both_kinds_of_rows() -> None:
    found = evaluated(EMBEDDED)

    assert list(found["dev_results"]) == ["zero_shot"]
    assert list(found["results"]) == ["few_shot_nearest", "adapter/7"]


@pytest.mark.parametrize(
    ("metric", "kind"),
    [("pattern", "accuracy"), ("json_match", "accuracy"), ("exact_match", "exact_match"), ("rouge_l", "rouge"),
     ("chrf", "chrf"), ("normalised_match", "exact_match")],
)  # fmt: skip
def test_a_hub_knows_the_kind_of_the_metric(metric: str, kind: str) -> None:
    (shown,) = front(replace(EMBEDDED, metric=metric))["model-index"][0]["results"][0]["metrics"]

    assert shown["type"] == kind
    assert glossary.label(f"metric.{metric}") in shown["name"]


def test_libraries_and_licences_are_named() -> None:
    text = card.card(EMBEDDED)

    assert "- torch 2.13.0" in text
    assert "Base model: apache-2.0." in text
    assert "Adapter: none was chosen here." in text
    assert "its files name no licence" in card.card(FACTS)
    assert (front(FACTS)["license"], front(FACTS)["license_name"]) == ("other", "not-chosen")


def test_prompts_of_another_model_are_said_to_be_so() -> None:
    assert "The prompts were asked of `Big model`." in card.card(replace(FACTS, measured_on="Big model"))
    assert evaluation_file.evaluation(replace(FACTS, measured_on="Big model"))["prompts_asked_of"] == "Big model"


# ---------------------------------------------------------------- a stored run


def unpacked(engine: Engine, blobs: Blobs) -> dict[str, bytes]:
    with (
        reading(engine) as session,
        service.bundle(session, blobs, 1) as made,
        zipfile.ZipFile(io.BytesIO(made.read())) as zipped,
    ):
        return {name: zipped.read(name) for name in zipped.namelist()}


def test_the_bundle_of_a_run_says_all_of_it(engine: Engine, blobs: Blobs) -> None:
    with writing(engine) as session:
        session.execute(update(BaselineRow).values(metric_options={"pattern": "^x$"}))
        session.execute(update(TrainingRow).values(training_facts={"libraries": {"peft": "0.21.0"}}))

    files = unpacked(engine, blobs)

    text, found = files["README.md"].decode(), json.loads(files["evaluation.json"])
    assert "The metric's pattern: `^x$`." in text
    assert "- peft 0.21.0" in text
    assert "It does not reach the target of 90 %." in text
    assert {"zero_shot", "few_shot_random/1", "few_shot_nearest", "revised_prompt/1"} <= set(found["dev_results"])
    assert set(found["results"]) == {"few_shot_nearest", "adapter/1"}


def test_a_run_of_the_embedded_model_names_its_real_weights(engine: Engine, blobs: Blobs) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).values(kind="bundled"))

    text = unpacked(engine, blobs)["README.md"].decode()

    assert weights.EXPANDED in text
    assert weights.GGUF_SHA256 in text


def test_what_answers_were_held_to_is_said_and_is_in_the_file() -> None:
    held = {"kind": "labels", "text": "a\nb\n```c", "sha256": "f" * 64, "version": 2}
    text = card.card(replace(FACTS, constraint=held))

    assert f"Every answer was held to this constraint (Label list, `{'f' * 64}`)" in text
    assert "````\na\nb\n```c\n````" in text
    assert evaluated(replace(FACTS, constraint=held))["configs"]["constraint"] == held
    assert "held to this constraint" not in card.card(FACTS)
    assert "constraint" not in evaluated(FACTS)["configs"]
