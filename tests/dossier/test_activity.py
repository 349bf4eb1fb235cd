"""What happened to an assessment, as lines: folding, words, and where each line leads."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.dossier.activity import Event, feed

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass
class Act:
    """An entry of the record of the assessment 7."""

    act: str
    detail: dict[str, Any] = field(default_factory=dict)
    subject: str = "assessment"
    subject_id: int | None = 7
    actor_name: str = "Ben"
    at: datetime = NOON


def lines(*acts: Act, outcomes: tuple[Event, ...] = ()) -> list[tuple[str, str, str]]:
    """Who, what and where of each line; acts are given oldest first."""
    told = feed(7, acts[::-1], outcomes, {3: "train.jsonl v2"})
    return [(event.who, event.text, event.url) for event in told]


def answers(*changed: str, **more: Any) -> Act:
    return Act("assessment.answers", {"what": "answers", "changed": list(changed)}, **more)


def test_saves_of_one_day_by_one_person_are_one_line() -> None:
    assert lines(answers("owner", "goals"), answers("goals", "stakes")) == [
        ("Ben", "edited 3 answers", "/assessments/7/describe")
    ]


@pytest.mark.parametrize(
    "other",
    [
        answers("stakes", actor_name="Cora"),
        answers("stakes", at=NOON + timedelta(days=1)),
    ],
)
def test_saves_of_another_day_or_person_are_lines_of_their_own(other: Act) -> None:
    assert len(lines(answers("owner"), other)) == 2


def test_what_came_between_keeps_two_saves_apart() -> None:
    texts = [text for _, text, _ in lines(answers("owner"), Act("review.request", {"review": 2}), answers("goals"))]

    assert texts == ["edited 1 answer", "requested review 2", "edited 1 answer"]


def test_the_last_word_on_the_target_counts() -> None:
    first = Act("assessment.answers", {"changed": ["target"], "target": [None, 0.8]})
    second = Act("assessment.answers", {"changed": ["target"], "target": [0.8, 0.9]})

    assert lines(first, second) == [("Ben", "set the target score to 90.0 %", "/assessments/7/describe")]


def test_tags_are_added_up() -> None:
    tag = {"arm": "few_shot_nearest", "assessment": 7}
    acts = [Act("baseline.tag", tag | {"answers": [[1, "facts"]]}, "baseline", 4)] * 2
    acts += [Act("baseline.tag", tag | {"answers": [[2, "facts"], [3, "facts"]]}, "baseline", 4)]

    ((who, text, url),) = lines(*acts)

    assert (who, url) == ("Ben", "/assessments/7/measure")
    assert text.startswith("tagged 3 failures of ")


def test_tags_that_were_saved_one_by_one_are_counted_by_answer() -> None:
    tag = {"arm": "few_shot_nearest", "assessment": 7, "answers": 1}
    acts = [Act("baseline.tag", tag | {"answer": answer, "from": None, "to": "facts"}, "baseline", 4)
            for answer in (11, 12, 13, 12)]  # fmt: skip
    acts.append(Act("baseline.tag", tag | {"answers": 5}, "baseline", 4))

    ((_, text, _),) = lines(*acts)

    assert text.startswith("tagged 8 failures of ")


def test_files_have_their_names_and_runs_their_pages() -> None:
    freeze = Act("dataset.freeze", {}, "dataset", 3)
    launch = Act("training.launch", {"training": 5, "review": 2})

    assert lines(freeze, launch) == [
        ("Ben", "launched training run 5, approved in review 2", "/trainings/5"),
        ("Ben", "froze the split of train.jsonl v2", "/datasets/3"),
    ]


def test_what_a_job_came_to_stands_at_its_time() -> None:
    done = Event(NOON + timedelta(minutes=5), "", "Adapter evaluated: regressed", "/trainings/5")

    told = lines(Act("training.launch", {"training": 5, "review": 2}), answers("owner", at=NOON + timedelta(hours=1)),
                 outcomes=(done,))  # fmt: skip

    assert [text for _, text, _ in told][1] == "Adapter evaluated: regressed"


def test_a_template_has_its_name() -> None:
    created = Act("assessment.create", {"title": "x", "starting_point": "route-tickets"})

    assert lines(created)[0][1] == "created this assessment from the template “Route tickets to many queues”"


def test_who_was_sent_away_is_for_the_record_alone() -> None:
    assert lines(Act("gate.denied", {"path": "/x", "because": "y"})) == []
