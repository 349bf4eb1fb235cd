"""Whole measurements on a server that plays trouble: the server answers right unless the case says otherwise, so every
arm that asks a model has to read 100 %, or say why it cannot."""

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow
from app.baselines import answer_store, arms, job, planning, runs, standing, views
from app.baselines.arms import Arm, ArmResult, Scored
from app.baselines.order import BaselineRequest
from app.baselines.outlines import Estimate
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.blobs import Blobs
from app.db import reading, writing
from app.economics import service as economics
from app.inference.generator import Request
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Cancelled, Claim, Failed
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.measured import Case, a_case, baseline_of, claim_of, finish_job, number_of, started, target
from tests.support.model_server import Body, ModelServer, Raw, last_user, serving
from tests.support.model_server import completion as completed
from tests.support.scripted import Scripted

People = Callable[[UserRow], TestClient]
ASKED = 5  # arms of a first run that ask a model


def right(body: Body) -> str:
    """The wanted answer; a probe's harmless question gets a harmless answer."""
    text = last_user(body).rpartition("\n\n")[2]  # instructions may stand in front of it
    return target(number_of(text)) if text.startswith("case ") else "ready"


def shots(body: Body) -> int:
    return sum(turn["role"] == "assistant" for turn in body["messages"])


class Run:
    """A measurement that can be run, and looked at afterwards."""

    def __init__(self, make: Make, engine: Engine, settings: Settings, queue: job_engine.Client) -> None:
        self.make, self.engine, self.queue = make, engine, queue
        self.settings = settings.model_copy(
            update={"endpoint_first_wait": 0.002, "endpoint_patience": 3.0, "endpoint_seconds": 3.0}
        )
        self.case: Case | None = None
        self.claim: Claim | None = None

    def begin(self, server: ModelServer, *, rows: int = 8, metric: str = "exact_match", **order: Any) -> Claim:
        self.case = a_case(self.make, self.engine, server, dev=rows, test=rows)
        with writing(self.engine) as session:
            assessment = session.merge(self.case.assessment)
            assessment.answers = {**assessment.answers, "metric": metric}
        baseline = started(self.engine, self.queue, self.case, **order)
        self.claim = claim_of(self.engine, self.settings, self.queue, baseline.id)
        return self.claim

    def again(self) -> Claim:
        assert self.case is not None
        assert self.claim is not None
        finish_job(self.engine, self.claim)
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            runs.resume(session, self.claim.subject_id, by=self.case.author)
        self.claim = claim_of(self.engine, self.settings, self.queue, self.claim.subject_id)
        return self.claim

    def page(self, people: People) -> str:
        """The page of the measurement once its job is over."""
        assert self.case is not None
        assert self.claim is not None
        finish_job(self.engine, self.claim)
        return people(self.case.author).get(f"/assessments/{self.case.assessment.id}/measure").text

    @property
    def baseline(self) -> BaselineRow:
        assert self.claim is not None
        return baseline_of(self.engine, self.claim.subject_id)

    @property
    def of_prompts(self) -> dict[str, ArmResult]:
        """Dev results of the arms that ask a model."""
        return {arm.name: arm.dev for arm in self.baseline.arms if arm.family != "trivial" and arm.dev}

    def stored(self, status: str = "ok") -> int:
        def count(session: Session) -> int:
            ids = [arm.id for arm in self.baseline.arms if arm.family != "trivial"]
            return session.query(AnswerRow).filter(AnswerRow.arm_id.in_(ids), AnswerRow.status == status).count()

        with reading(self.engine) as session:
            return count(session)

    def notes(self) -> str:
        baseline = self.baseline
        leading = standing.leading(baseline)
        found = views.notes(
            baseline.arms, leading, asked_for="loopback-1", metric=baseline.metric, max_tokens=baseline.max_tokens
        )
        return "\n".join(found)


@pytest.fixture
def run(make: Make, engine: Engine, settings: Settings, queue: job_engine.Client) -> Run:
    return Run(make, engine, settings, queue)


def usage(text: str | None, **parts: Any) -> Raw:
    return Raw(completed(text, **parts))


# Every third row of each arm is answered in this way at first; asked again, it is answered right.
ONCE: dict[str, Callable[[str], str | Raw]] = {
    "finish error": lambda text: usage(text[:3], finish="error"),
    "resources": lambda _: usage("", finish="insufficient_system_resource"),
    "network": lambda text: usage(text[:3], finish="network_error"),
    "error in a 200": lambda _: Raw(b'{"error": {"code": 502, "message": "upstream"}}'),
    "500": lambda _: Raw(status=500),
    "502": lambda _: Raw(status=502),
    "429": lambda _: Raw(status=429, headers={"Retry-After": "0.001"}),
    "hang up": lambda _: Raw(hang_up=True),
}
# And in this way always, which says the same thing.
ALWAYS: dict[str, Callable[[str], str | Raw]] = {
    "thinking": lambda text: f"<think>\n\n</think>\n\n{text}",
    "closing only": lambda text: f"so it is that</think>{text}",
    "parts": lambda text: Raw(completed([{"type": "text", "text": text[:3]}, {"type": "text", "text": text[3:]}])),
    "no usage": lambda text: usage(text, usage=None),
    "dated name": lambda text: usage(text, model="loopback-1-2026-08-06"),
    "no finish": lambda text: usage(text, finish=None),
}


def some(cases: dict[str, Any], *quick: str) -> Any:
    """These cases of a whole run in the quick suite, and all in the deep one. Against the client alone the quick suite
    has each of them, too (`inference/test_server_trouble.py`)."""
    return [
        pytest.param(case, id=name, marks=() if name in quick else pytest.mark.deep) for name, case in cases.items()
    ]


@pytest.mark.parametrize("trouble", some(ONCE, "hang up"))
def test_trouble_that_passes_changes_no_score(run: Run, trouble: Callable[[str], str | Raw]) -> None:
    """B5: 43.3 % where asking again would have answered every row."""

    seen: set[str] = set()

    def reply(body: Body) -> str | Raw:
        key = json.dumps(body["messages"])
        if number_of(last_user(body)) % 3 == 0 and key not in seen:
            seen.add(key)
            return trouble(right(body))
        return right(body)

    with serving(reply) as server:
        job.measure(run.begin(server))

    assert {(found.score, found.errors) for found in run.of_prompts.values()} == {(1.0, 0)}
    assert run.baseline.concluded_at is not None


@pytest.mark.parametrize("form", some(ALWAYS, "thinking"))
def test_another_form_of_the_right_answer_is_right(run: Run, form: Callable[[str], str | Raw]) -> None:
    with serving(lambda body: form(right(body))) as server:
        job.measure(run.begin(server))

    assert {(found.score, found.errors) for found in run.of_prompts.values()} == {(1.0, 0)}
    assert "answered." not in run.notes()


NEVER: dict[str, Callable[[], str | Raw]] = {
    "all thinking": lambda: usage("", finish="length"),
    "no content": lambda: usage(None, finish="length"),
    "open thinking": lambda: "<think>well, perhaps",
    "error": lambda: usage("ref", finish="error"),
    "filtered": lambda: usage("", finish="content_filter"),
    "refused": lambda: Raw(b'{"error": {"message": "flagged"}}', status=400),
    "forbidden": lambda: Raw(b'{"error": {"message": "flagged"}}', status=403),
    "picture": lambda: Raw(completed([{"type": "image_url"}])),
}


@pytest.mark.parametrize("trouble", some(NEVER, "all thinking", "refused"))
def test_trouble_that_stays_is_an_error_of_its_rows_and_never_a_wrong_answer(
    run: Run, trouble: Callable[[], str | Raw]
) -> None:
    bad = 45  # a dev row; with it alone in error, each arm has more errors than may be and none is judged

    def reply(body: Body) -> str | Raw:
        return trouble() if last_user(body).startswith(f"case {bad}:") else right(body)

    with serving(reply) as server, pytest.raises(Failed, match="No variant can be evaluated"):
        job.measure(run.begin(server))

    assert {(found.score, found.n, found.errors) for found in run.of_prompts.values()} == {(1.0, 7, 1)}


def test_a_run_of_nothing_but_thinking_ends_early_with_the_way_out(run: Run) -> None:
    """B1, all rows: the run was done, with 0 %."""

    with (
        serving(lambda _: usage("", finish="length")) as server,
        pytest.raises(Failed, match=r"answer limit of 256 tokens was used up by thinking.*raise it"),
    ):
        job.measure(run.begin(server, rows=22))

    assert len(server.calls) <= job.HOPELESS + 8


def test_the_raw_text_stands_beside_what_is_scored_and_is_counted(run: Run, people: People, blobs: Blobs) -> None:
    with serving(lambda body: f"<think>hm-hm</think>\n{right(body)}") as server:
        job.measure(run.begin(server))

    arm = next(arm for arm in run.baseline.arms if arm.name == "zero_shot")
    assert arm.dev is not None
    assert arm.dev.thought == 8
    assert "Thinking was taken off" in run.notes()
    assert run.case is not None
    page = people(run.case.author).get(f"/baselines/{arm.baseline_id}/arms/{arm.id}").text
    assert "&lt;think&gt;hm-hm&lt;/think&gt;" in page
    with reading(run.engine) as session:
        answers = answer_store.answers(session, arm.id, "dev")
    assert all(one.raw and one.raw.endswith(one.output) and "<think>" not in one.output for one in answers)


# ---------------------------------------------------------------- one arm, money, cancel


def test_an_arm_whose_prompts_are_too_long_costs_that_arm_only(run: Run) -> None:
    """Kind 6: the run failed, and failed again for ever."""

    def reply(body: Body) -> str | Raw:
        if shots(body) == 5:
            return Raw(b'{"error": {"message": "context length exceeded"}}', status=400)
        return right(body)

    with serving(reply) as server:
        job.measure(run.begin(server, rows=22))
        calls = len(server.calls)
        job.measure(run.again())

    assert run.of_prompts["few_shot_nearest"].errors == 22
    assert run.of_prompts["zero_shot"].score == 1.0
    best = standing.best(run.baseline)
    assert best is not None
    assert best.test is not None
    assert best.test.score == 1.0
    assert calls <= 4 * 22 + job.HOPELESS + 8 + 22
    assert len(server.calls) - calls <= job.HOPELESS + 8, "Go on asks the errors again, and nothing else"


@pytest.mark.parametrize("status", [402, pytest.param(401, marks=pytest.mark.deep)])
def test_an_end_in_the_middle_keeps_every_answer_that_came(run: Run, status: int) -> None:
    """Kind 6: 18 calls made, 0 answers stored."""

    order = itertools.count(1)

    def reply(body: Body) -> str | Raw:
        return right(body) if next(order) <= 18 else Raw(status=status)

    with serving(reply) as server:
        claim = run.begin(server, rows=22)
        with pytest.raises(Failed):
            job.measure(claim)
        assert run.stored() == 18
        assert run.stored("error") == 0
        server.reply = right
        before = len(server.calls)
        job.measure(run.again())

    assert len(server.calls) - before == ASKED * 22 + 22 - 18


def test_a_cancel_keeps_every_answer_that_was_handed_over(run: Run) -> None:
    with serving(right) as server:
        claim = run.begin(server, rows=22)
        assert run.case is not None
        author = run.case.author

        def press(request: Request) -> str:
            if len(scripted.asked) == 12:
                with writing(run.engine) as session:
                    jobs.cancel(session, claim.job_id, author)
                time.sleep(0.35)  # a run looks for a cancel about three times a second
            return "x"

        scripted = Scripted(press)
        arm = next(arm for arm in run.baseline.arms if arm.name == "zero_shot")
        with pytest.raises(Cancelled):
            job.answer_arm(claim, arm.id, "dev", scripted)

    assert run.stored() == len(scripted.asked) == 12


@pytest.mark.deep
def test_a_server_that_loads_is_waited_for_and_the_progress_says_so(run: Run) -> None:
    def stages() -> list[str]:
        assert run.claim is not None
        with reading(run.engine) as session:
            events = job_store.events_after(session, run.claim.job_id, 0)
            return [str(event.body.get("stage")) for event in events if event.kind == "progress"]

    def reply(body: Body) -> str | Raw:
        """It is loaded once the job said how long it has been loading, however slow this machine is."""
        if not any(text.startswith("Waiting for the model to load (0:0") for text in stages()):
            return Raw(b'{"error":{"code":503,"message":"Loading model"}}', status=503)
        return right(body)

    with serving(reply) as server:
        run.settings = run.settings.model_copy(update={"endpoint_patience": 30.0})
        job.measure(run.begin(server))

    assert {(found.score, found.errors) for found in run.of_prompts.values()} == {(1.0, 0)}
    assert len(server.calls) < ASKED * 8 + 8 + 40


# ---------------------------------------------------------------- what is said about it


def test_another_model_that_answers_is_said_on_the_page(run: Run, people: People) -> None:
    """B11: people compared "two models" and had measured one."""

    with serving(lambda body: usage(right(body), model="tiny-1b")) as server:
        job.measure(run.begin(server))

    page = run.page(people)
    assert "You asked for loopback-1, and tiny-1b answered." in page


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param(None, marks=pytest.mark.deep),
        pytest.param({}, marks=pytest.mark.deep),
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    ],
)
def test_tokens_that_nobody_counted_are_unknown_and_estimates_are_called_so(
    run: Run, people: People, tokens: Any
) -> None:
    """B12: 0 EUR a month, and the first arm with zeros led."""

    with serving(lambda body: usage(right(body), usage=tokens)) as server:
        job.measure(run.begin(server))

    zero, nearest = run.of_prompts["zero_shot"], run.of_prompts["few_shot_nearest"]
    assert {found.tokens_from for found in run.of_prompts.values()} == {"estimated"}
    assert 0 < zero.tokens_in < nearest.tokens_in
    leading = standing.leading(run.baseline)
    assert leading is not None
    assert leading.name == "zero_shot", "a tie goes to the shorter prompt, not to the first zero"
    assert run.case is not None
    client = people(run.case.author)
    answers = client.get(f"/api/v1/baselines/{run.baseline.id}/arms/{leading.id}/answers").json()["data"]
    assert {(one["prompt_tokens"], one["completion_tokens"]) for one in answers} == {(None, None)}
    costs = client.get(f"/api/v1/assessments/{run.case.assessment.id}/costs").json()
    asked = [line for line in costs["ways"] if line["tokens_in"] is not None]
    assert asked
    assert all(line["tokens_from"] == "estimated" and line["tokens_in"] > 0 for line in asked)
    page = client.get(f"/answers/{answers[0]['id']}").text
    assert "unknown: the model did not say" in page


@pytest.mark.deep
def test_a_server_that_counts_far_too_few_tokens_may_cut_prompts(run: Run) -> None:
    short = {"prompt_tokens": 4, "completion_tokens": 3}
    with serving(lambda body: usage(right(body), usage=short)) as server:
        job.measure(run.begin(server))

    assert "It may cut prompts off" in run.notes()


def test_what_was_learnt_about_the_server_is_said(run: Run) -> None:
    """B4, B16: every row was refused."""

    def reply(body: Body) -> str | Raw:
        if body["messages"][0]["role"] == "system":
            return Raw(status=500)
        if "temperature" in body:
            return Raw(b'{"error": {"message": "temperature is not supported"}}', status=400)
        return right(body)

    with serving(reply) as server:
        job.measure(run.begin(server))

    assert {(found.score, found.errors) for found in run.of_prompts.values()} == {(1.0, 0)}
    assert "without temperature 0" in run.notes()
    assert "instructions stand in front of the first question" in run.notes()


def test_rows_that_only_marks_made_right_and_rows_that_a_setting_would_save_are_counted(run: Run) -> None:
    def reply(body: Body) -> str:
        text = last_user(body)
        number = number_of(text)
        return f"**{target(number)}**" if number % 2 else f"Label: {target(number)}"

    with serving(reply) as server:
        job.measure(run.begin(server, metric="normalised_match"))

    assert {found.score for found in run.of_prompts.values()} == {0.5}
    assert "4 of 8 rows of" in run.notes()
    assert "are right only because marks around the answer" in run.notes()
    assert "4 more of 8 rows" in run.notes()
    assert "would be right with: Take off" in run.notes()


# ---------------------------------------------------------------- which arm leads


def tally(score: float, *, cut: int = 0, near: float = 0.0, tokens: float = 50.0) -> ArmResult:
    return ArmResult(score=score, n=40, errors=0, mean_prompt_tokens=tokens, cut=cut, near=near)


def test_on_a_tie_at_nothing_the_nearest_answers_lead_and_not_the_cheapest_prompt() -> None:
    cheap, near = Arm("zero_shot", "zero_shot"), Arm("few_shot_nearest", "few_shot_nearest")

    best = arms.best([(cheap, tally(0.0, near=0.1, tokens=20)), (near, tally(0.0, near=0.4, tokens=900))])
    assert best == near
    best = arms.best([(cheap, tally(0.1, tokens=20)), (near, tally(0.1, near=0.4, tokens=900))])
    assert best == cheap


def test_an_arm_whose_answers_are_mostly_cut_leads_only_where_all_are() -> None:
    cut, whole = Arm("zero_shot", "zero_shot"), Arm("few_shot_nearest", "few_shot_nearest")

    assert arms.best([(cut, tally(0.5, cut=40)), (whole, tally(0.2))]) == whole
    assert arms.best([(cut, tally(0.5, cut=40)), (whole, tally(0.2, cut=21))]) == cut
    assert arms.best([(cut, tally(0.5, cut=20)), (whole, tally(0.2))]) == cut


def test_nothing_right_and_mostly_cut_are_said_on_the_page(run: Run, people: People) -> None:
    def reply(body: Body) -> str | Raw:
        if not shots(body):
            return usage("this goes on and on", finish="length")
        return f"{right(body)}0" if shots(body) == 5 else "something else"

    with serving(reply) as server:
        job.measure(run.begin(server))

    leading = standing.leading(run.baseline)
    assert leading is not None
    assert leading.name == "few_shot_nearest"
    page = run.page(people)
    assert "No prompt got a single row right." in page
    assert "8 of 8 answers were cut at 256 tokens" in page
    assert "mostly cut" in page


def test_one_limit_that_cuts_many_variants_is_said_once() -> None:
    rows = [ArmRow(family=one, name=one, title=one, settings={}, dev=tally(0.5, cut=40)) for one in arms.PROMPTED]

    sentences = views.notes(rows, None, asked_for="", metric="exact_match", max_tokens=9)

    cut = [one for one in sentences if "were cut at 9 tokens" in one]
    assert len(cut) == 1
    assert "120 of 120 answers of 3 variants" in cut[0]


# ---------------------------------------------------------------- times and estimates


def test_the_pace_of_a_model_on_this_machine_is_what_each_answer_took() -> None:
    found = arms.tallied([Scored(1.0, 10, 3, 1.2), Scored(0.0, 10, 3, 1.4)], binary=True, seed=7)

    assert found.mean_seconds == pytest.approx(1.3)


def test_an_estimate_goes_by_tokens_and_is_rough_where_the_calls_differ(run: Run) -> None:
    with serving(right) as server:
        server.delay = 0.01
        job.measure(run.begin(server))
        assert run.case is not None

        def estimate(**different: Any) -> Estimate:
            assert run.case is not None
            with reading(run.engine) as session:
                order = BaselineRequest(
                    model_id=run.case.model.id, instructions="Give the label.", consent=True, **different
                )
                found = planning.outline(session, run.case.assessment.id, order)
                assert found is not None
                return found.total

        with writing(run.engine) as session:
            for arm in session.query(ArmRow).filter(ArmRow.family != "trivial"):
                assert arm.dev is not None
                arm.dev = replace(arm.dev, mean_prompt_tokens=100.0, mean_completion_tokens=3.0, pace=0.5)
                arm.test = None
        usual = estimate()
        large = estimate(k_random=20, k_nearest=20)

    assert usual.seconds is not None
    assert large.seconds is not None
    assert not usual.rough
    assert large.rough
    assert large.calls == usual.calls
    assert large.seconds > 2 * usual.seconds


def test_costs_of_counted_tokens_stay_measured(run: Run) -> None:
    with serving(right) as server:
        job.measure(run.begin(server))

    assert run.case is not None
    with reading(run.engine) as session:
        assessment = session.get_one(AssessmentRow, run.case.assessment.id)
        lines = economics.of(session, assessment).lines
    assert {line.tokens_how for line in lines if line.tokens and line.score is not None} == {"measured"}
