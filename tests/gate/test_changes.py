"""What differs between two subjects is said in labels: never a raw key, and one line a thing."""

import copy
from typing import Any

import pytest

from app.gate import labels
from app.gate.changes import changes

BEFORE: dict[str, Any] = {
    "revision": 3,
    "questions": "a" * 64,
    "answers": {"goals": ["style"], "target": "0.9", "calls_per_month": 300000, "owner": "Docs"},
    "policy": {"version": "3", "sha256": "b" * 64},
    "verdict": {
        "training": "ready",
        "leaning": "fine_tune",
        "scores": {"prompt": 1},
        "gates": [
            {"id": "G1", "title": "Enough examples", "state": "pass", "measured": "1,150 usable."},
            {"id": "G6", "title": "Best prompt misses the target", "state": "pass", "measured": "68 %."},
        ],
    },
    "evidence": {
        "baseline": {"passed": 150, "total": 220, "best_arm": "trivial"},
        "test_rows": 220,
        "cost_case": "pass",
        "failure_causes": {"facts": 2},
    },
    "dataset": {"id": 1, "rows_sha256": "c" * 64, "human_checked": True},
    "baseline": {
        "instructions": "Write.",
        "answers_sha256": "d" * 64,
        "arms": [{"name": "zero_shot"}],
        "metric": "exact_match",
        "model": {"kind": "endpoint"},
    },
    "training": {
        "recipe": {"max_steps": 12, "batch_rows": 16, "sweep": "none", "max_row_tokens": 1024},
        "model": {"id": 1, "name": "SmolLM2"},
    },
}


def changed(**paths: Any) -> dict[str, Any]:
    after = copy.deepcopy(BEFORE)
    for path, value in paths.items():
        *above, last = path.split("__")
        part = after
        for name in above:
            part = part[name]
        part[last] = value
    return after


def listed(**paths: Any) -> list[tuple[str, str, str]]:
    return [(one.label, one.before, one.after) for one in changes(BEFORE, changed(**paths))]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ({"training__recipe__max_steps": 16}, ("Training config: Max steps", "12", "16")),
        ({"answers__target": "0.8"}, ("Answers: Target score", "90 %", "80 %")),
        ({"answers__calls_per_month": 60000}, (None, "300,000", "60,000")),
        ({"answers__owner": None}, (None, "Docs", "nothing")),
        ({"dataset__rows_sha256": "e" * 64}, ("Data: hash of the rows", "c" * 12, "e" * 12)),
        ({"dataset__human_checked": False}, ("Data: test answers checked by people", "yes", "no")),
        ({"evidence__baseline__passed": 140}, ("Evidence: right answers of the best variant", "150", "140")),
        ({"baseline__instructions": "Write it."}, ("Baselines: system prompt", "Write.", "Write it.")),
        ({"training__model__name": "Qwen"}, ("Training config: base model, name", "SmolLM2", "Qwen")),
        ({"baseline__arms": [{"name": "a"}, {"name": "b"}]}, ("Baselines: variants", "1", "2")),
        ({"training": None}, ("Training config", "there", "nothing")),
        (
            {"training__recipe__sweep": "three"},
            (
                "Training config: Learning-rate sweep",
                "No: one learning rate",
                "3 rates: half, once, twice the learning rate",
            ),
        ),
        (
            {"training__recipe__max_row_tokens": 2048},
            ("Training config: Max sequence length (tokens)", "1,024", "2,048"),
        ),
        ({"verdict__training": "locked"}, ("Verdict: training", "allowed", "locked")),
        ({"verdict__leaning": "hybrid"}, ("Verdict: leaning", "Fine-tune", "RAG and fine-tune")),
        ({"evidence__cost_case": "fail"}, ("Evidence: cost case", "pays", "does not pay")),
        ({"evidence__failure_causes__facts": 3}, ("Evidence: causes of failures, Missing fact", "2", "3")),
        ({"evidence__baseline__best_arm": "zero_shot"}, ("Evidence: best variant", "No-LLM baseline", "Zero-shot")),
        ({"baseline__metric": "chrf"}, ("Baselines: metric", "Exact match", "chrF")),
        ({"baseline__model__kind": "folder"}, (None, "model server", "model folder")),
    ],
)
def test_one_change_reads_as_one_line(paths: dict[str, Any], expected: tuple[str | None, str, str]) -> None:
    ((label, before, after),) = listed(**paths)

    assert (before, after) == expected[1:]
    assert label == (expected[0] or label)
    assert "_" not in label


def test_a_criterion_is_said_once_and_only_if_its_state_changed() -> None:
    gates = copy.deepcopy(BEFORE["verdict"]["gates"])
    gates[1] |= {"state": "fail", "measured": "91 %."}
    gates[0]["measured"] = "1,140 usable."

    assert listed(verdict__gates=gates) == [("Criterion G6: Best prompt misses the target", "met", "not met")]


def test_what_people_changed_comes_before_what_follows_from_it() -> None:
    after = listed(evidence__test_rows=180, training__recipe__max_steps=16, revision=4)

    assert [label for label, _, _ in after] == ["Training config: Max steps", "Evidence: test rows"]


def test_a_change_of_nothing_but_the_revision_is_still_one() -> None:
    assert listed(revision=4) == [("revision", "3", "4")]


def test_no_path_of_a_subject_reads_as_a_key() -> None:
    for path in (*labels.NAMES, "evidence.arms.small_classifier.passed", "baseline.model.base_url"):
        place = labels.place(path)
        assert "_" not in place, place
        assert place.split(": ")[0] in labels.PARTS.values()
