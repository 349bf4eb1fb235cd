"""Automatic rounds, run right here against a scripted critic and a scripted model on loopback."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.baselines import arms, facts, standing, versions
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, writing
from app.errors import Invalid
from app.gate import checks, subject_builder
from app.instructions import job
from app.instructions.budget import Prices
from app.instructions.rounds import concluded
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Cancelled, Failed, Stopping
from app.jobs.tables import JobRow, Status
from app.privacy.identifier_report import IdentifierKind, IdentifierReport
from app.settings import Settings
from tests.support.factories import Make
from tests.support.measured import baseline_of, finish_job, number_of, question, target
from tests.support.model_server import ModelServer, Raw, last_user
from tests.support.optimised import PLANTED, SEED, WORSE, Improvable, Script, cut, improvable, marked, serve, task


@pytest.fixture
def model() -> Iterator[ModelServer]:
    yield from serve(task)


@pytest.fixture
def critic() -> Iterator[ModelServer]:
    yield from serve(Script([marked(WORSE), marked(PLANTED), marked("Give the label now.")]))


@pytest.fixture
def case(
    make: Make,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    model: ModelServer,
    critic: ModelServer,
) -> Improvable:
    return improvable(make, engine, settings, queue, (model, critic))


def test_a_better_prompt_is_taken_over_and_measured_like_a_revision(
    case: Improvable, model: ModelServer, critic: ModelServer
) -> None:
    run = case.optimise(candidates=3)

    assert [row.state for row in run.candidates[:3]] == ["first", "behind", "scored"]
    assert run.result is not None
    assert run.result["first"] < 0.6
    assert run.result["best"] > 0.8
    assert run.result["winner"] == 2
    assert 0 < run.result["luck"] < run.result["gain"]
    assert run.ending == "candidates"
    arm = next(arm for arm in baseline_of(case.engine, case.baseline_id).arms if arm.family == "optimised_prompt")
    assert arm.id == run.winner_arm_id
    assert arm.settings["instructions"] == PLANTED
    assert arm.settings["optimiser"]["critic"]["reference"] == "critic-1"
    assert arm.settings["optimiser"]["drafts"] == 3
    assert arm.settings["optimiser"]["luck"] == run.result["luck"]

    case.measure()

    baseline = baseline_of(case.engine, case.baseline_id)
    best = standing.best(baseline)
    assert best is not None
    assert best.family == "optimised_prompt"
    assert best.test is not None
    assert best.test.n == 20
    assert baseline.test_looks[-1]["arm"] == best.name
    assert arms.missing(standing.results(baseline)) == ["few_shot_random", "few_shot_nearest"]
    with reading(case.engine) as session:
        said = facts.measured(session, case.case.assessment.id).baseline
        kept = versions.of_assessment(session, case.case.assessment.id)
    assert said is not None
    assert said.revised
    assert "optimised_prompt" in said.arms
    assert [(row.number, row.why, row.text) for row in kept] == [(2, "optimised", PLANTED), (1, "hand", SEED)]
    assert kept[0].from_id == kept[1].id


def test_the_critic_reads_train_rows_only_and_test_rows_are_never_asked(
    case: Improvable, model: ModelServer, critic: ModelServer
) -> None:
    before = len(model.calls)
    case.optimise(candidates=3)

    with reading(case.engine) as session:
        split = {
            row.line: name
            for name in ("train", "dev", "test")
            for row in dataset_store.rows(session, case.case.dataset.id, name)
        }
    read = {int(number) for asked in critic.questions for number in re.findall(r"case (\d+):", asked)}
    asked = {number_of(last_user(call.body)) for call in model.calls[before:]}
    assert {split[number] for number in read} == {"train"}
    assert {split[number] for number in asked} == {"train", "dev"}
    assert all(f"Wanted:\n{target(number)}" in " ".join(critic.questions) for number in read)


FAILURES: dict[str, tuple[Any, str]] = {
    "cut": (cut(f"<instructions>\n{PLANTED} And besides"), "cut at its token limit"),
    "cut without a word": (f"<instructions>\n{PLANTED} And bes", "no instructions between the marks"),
    "thinking": (f"<think>They want a label.</think>\n{marked(PLANTED)}", "had thinking in it"),
    "json": ('{"task": "classify", "instructions": "Write the label."}', "a JSON object"),
    "json inside": (marked('{"task": "classify"}'), "a JSON object"),
    "empty": (marked("  "), "nothing in it"),
    "too long": (marked(f"{PLANTED} " + "Be exact. " * 900), "too long"),
    "the same": (marked(SEED), "tried already"),
    "a dev row": (marked(f"{PLANTED} For example: {question(35)}"), "It quotes 1 dev row."),
    "a train row": (marked(f"{PLANTED}\n{question(3)}"), "It quotes 1 train row."),
    "a list of test answers": (
        marked(f"{PLANTED}\n" + "\n".join(target(number) for number in (56, 57, 58))),
        "It quotes 3 test rows.",
    ),
}


def test_no_planted_failure_is_taken_over(case: Improvable, critic: ModelServer) -> None:
    for planted in (list(FAILURES.items())[at : at + 4] for at in range(0, len(FAILURES), 4)):
        critic.reply = Script([reply for _, (reply, _) in planted])

        run = case.optimise(candidates=len(planted))

        for row, (name, (_, reason)) in zip(run.candidates[1:], planted, strict=True):
            assert (row.state, reason in row.reason) == ("refused", True), (name, row.reason)
        assert run.winner_arm_id is None
        assert run.result is not None
        assert (run.result["gain"], run.result["refused"], run.result["scored"]) == (0, len(planted), 1)


@pytest.mark.parametrize("down", ["model", "critic"])
def test_an_outage_is_no_score_and_a_run_goes_on_from_the_best_so_far(
    case: Improvable, model: ModelServer, critic: ModelServer, down: str
) -> None:
    script = Script([marked(PLANTED), marked(WORSE)])
    critic.reply = script

    def out(body: dict[str, Any]) -> Raw | str:
        over = len(script.asked) >= 2 if down == "model" else len(script.asked) >= 1
        if over:
            return Raw(b'{"error": {"message": "no such thing"}}', status=400)
        return task(body) if down == "model" else script(body)

    (model if down == "model" else critic).reply = out
    run_id = case.start(candidates=3).id
    claim = case.claim(run_id)
    with pytest.raises(Failed, match="no answer"):
        job.optimise(claim)
    finish_job(case.engine, claim)
    stopped = case.run(run_id)
    assert [row.state for row in stopped.candidates if row.state in ("first", "scored", "behind")] == [
        "first",
        "scored",
    ]
    assert stopped.result is None
    asked = len(model.calls)

    model.reply, critic.reply = task, script
    case.resume(run_id)
    claim = case.claim(run_id)
    job.optimise(claim)

    run = case.run(run_id)
    assert run.ending in ("candidates", "right")
    assert run.result is not None
    assert run.result["best"] > 0.8
    assert run.winner_arm_id is not None
    assert not {number_of(last_user(call.body)) for call in model.calls[asked:]} & set(range(31, 55)), "scores stand"


def test_a_cancel_ends_it_and_keeps_what_came(case: Improvable, model: ModelServer, critic: ModelServer) -> None:
    script = Script([marked(PLANTED)])
    critic.reply = script
    run_id = case.start().id
    claim = case.claim(run_id)

    def pressed(body: dict[str, Any]) -> str:
        with writing(case.engine) as session:
            jobs.bind(session, case.queue)
            jobs.cancel(session, claim.job_id, case.case.author)
        return marked(PLANTED)

    critic.reply = pressed
    with pytest.raises(Cancelled):
        job.optimise(claim)

    run = case.run(run_id)
    assert run.ending == ""
    assert run.spent.critic_calls <= 1
    assert run.spent.calls == len(model.calls) - _measured(model)


def _measured(model: ModelServer) -> int:
    """Calls of the measurement before: zero-shot on 24 dev and 20 test rows."""
    return 44


@pytest.mark.parametrize(
    ("limit", "ending"),
    [
        ({"calls": 15}, "calls"),
        ({"tokens": 60}, "tokens"),
        ({"minutes": 1e-5}, "minutes"),
        ({"money": 1e-3, "task_prices": Prices(1.0, 1.0), "critic_prices": Prices(1.0, 100.0)}, "money"),
    ],
)
def test_a_budget_holds(case: Improvable, model: ModelServer, limit: dict[str, Any], ending: str) -> None:
    run = case.optimise(candidates=40, **limit)

    assert run.ending == ending
    assert len(model.calls) - _measured(model) == run.spent.calls
    assert run.spent.all_calls <= limit.get("calls", 60)
    assert all(row.state in ("first", "behind", "interrupted", "scored") for row in run.candidates)


def test_no_gain_ends_it_and_nothing_becomes_of_it(case: Improvable, critic: ModelServer) -> None:
    critic.reply = Script([marked(f"{WORSE} Take {number} words.") for number in range(2, 20)])

    run = case.optimise(candidates=30)

    assert run.ending == "no_gain"
    assert len(run.candidates) == 7
    assert run.winner_arm_id is None
    assert concluded(run.candidates) == run.result


def test_a_run_that_is_stopped_in_the_middle_scores_what_it_was_scoring(
    case: Improvable, model: ModelServer, critic: ModelServer
) -> None:
    """The draft that did better on its train rows is scored by the next attempt, before anything else is drafted."""
    script = Script([marked(PLANTED)])
    critic.reply = script
    run_id = case.start(candidates=1).id
    claim = case.claim(run_id)

    def stops_on_dev(body: dict[str, Any]) -> str:
        if PLANTED in body["messages"][0]["content"] and 31 <= number_of(last_user(body)) <= 54:
            claim.stopping.set()
        return task(body)

    model.reply = stops_on_dev
    with pytest.raises(Stopping):
        job.optimise(claim)
    stopped = case.run(run_id)
    assert [row.state for row in stopped.candidates] == ["first", "scoring"]
    under_way = len(model.calls) - _measured(model) - stopped.spent.calls
    assert 0 <= under_way <= claim.settings.endpoint_concurrency

    claim.stopping.clear()
    model.reply = task
    job.optimise(claim)

    run = case.run(run_id)
    assert [row.state for row in run.candidates] == ["first", "scored"]
    assert len(script.asked) == 1
    assert run.winner_arm_id is not None


def test_the_critic_sees_what_pages_show_of_personal_data(
    case: Improvable, model: ModelServer, critic: ModelServer
) -> None:
    with writing(case.engine) as session:
        dataset = session.get_one(DatasetRow, case.case.dataset.id)
        held = IdentifierReport(rows=30, kinds=(IdentifierKind(kind="e-mail address", rows=30),))
        dataset.report_json = replace(dataset.report, identifiers=held).to_json()
        for row in session.query(ExampleRow).filter_by(dataset_id=dataset.id, split="train"):
            row.target = f"{row.target} for anna{row.line}@firma.de"
    model.reply = lambda body: f"wrong for bert{number_of(last_user(body))}@firma.de"

    case.optimise(candidates=1)

    assert critic.questions
    assert "@firma.de" not in " ".join(critic.questions)
    assert "[e-mail address]" in critic.questions[0]


def test_what_a_reviewer_approves_names_the_critic_and_luck(case: Improvable) -> None:
    case.optimise(candidates=3)
    case.measure()

    with reading(case.engine) as session:
        assessment = session.get_one(AssessmentRow, case.case.assessment.id)
        frozen = subject_builder.snapshot(session, assessment).subject
    assert frozen.baseline is not None
    (arm,) = [arm for arm in frozen.baseline.arms if arm.name.startswith("optimised_prompt/")]
    assert arm.settings["optimiser"]["critic"]["name"] == "Critic"
    assert arm.settings["version"] == 2
    (prompt,) = [section.fact for section in checks.sections(frozen, 0) if section.key == "prompt"]
    assert "An optimizer wrote it with Critic: the best of " in prompt
    assert "of which luck alone gives" in prompt
    gates = {gate.id: gate.measured for gate in frozen.verdict.gates}
    assert "one round of revised instructions, by an optimizer." in gates["G5"]


def test_the_embedded_model_is_no_critic(case: Improvable, make: Make) -> None:
    embedded = make.model(name="Embedded", kind="bundled")

    with pytest.raises(Invalid) as refused:
        case.start(critic_id=embedded.id)

    assert refused.value.errors[0].detail.startswith("The embedded model can't be the critic")


@pytest.mark.torch
@pytest.mark.deep
def test_a_critic_out_of_a_folder_is_asked_on_this_machine_and_its_babble_is_not_taken_over(
    case: Improvable, make: Make, tiny_model: Path, critic: ModelServer, warm_children: None, tmp_path: Path
) -> None:
    """Its files are checked first; what a model writes that has learnt nothing is rejected like any other fault. One
    that reads too little for a reflection says so."""
    short = make.model(name="Short critic", kind="folder", reference=str(tiny_model), files={})
    with pytest.raises(Failed, match="the model reads 512 at most"):
        case.optimise(critic_id=short.id, consent=False, candidates=2)
    with writing(case.engine) as session:
        for job_row in session.query(JobRow).filter_by(kind="optimise"):
            job_row.status = Status.FAILED
    place = tmp_path / "reads more"
    shutil.copytree(tiny_model, place)
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        kept = json.loads((place / name).read_text())
        (place / name).write_text(json.dumps({**kept, key: 8192}))
    folder = make.model(name="Folder critic", kind="folder", reference=str(place), files={})

    run = case.optimise(critic_id=folder.id, consent=False, candidates=2)

    assert run.critic_as["files"]
    assert not critic.calls
    assert run.spent.critic_calls > 0
    assert run.winner_arm_id is None
    assert all(row.state not in ("scored", "won") for row in run.candidates[1:])
