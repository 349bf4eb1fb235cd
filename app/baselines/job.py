"""The measuring itself: ask every arm what it has not answered yet, and write each answer down as it comes.

Nothing is kept in memory that a kill could lose: rows with an answer are never asked again, so an attempt that goes
on after a crash repeats at most the calls that were in flight. The test rows are asked after all arms are through, by
the one that did best on the dev rows and by those that the dev rows cannot tell from it.
"""

from collections.abc import Collection, Sequence
from collections.abc import Generator as Closable
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.baselines import (
    ahead,
    answer_store,
    arms,
    asked_model,
    asking,
    belonging,
    concluding,
    error_share,
    other_models,
    rivals,
    scored,
    standing,
    store,
    watching,
    with_passages,
    without_model,
)
from app.baselines.arms import ArmResult, Dropped
from app.baselines.asking import Asked, Preparation
from app.baselines.batch import Batch
from app.baselines.intake import Intake
from app.baselines.judged import Judged
from app.baselines.outbox import FREE_ROWS, Meter, Outbox
from app.baselines.prompts import Shot
from app.baselines.race import Race
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.db import utcnow
from app.inference.endpoint import Endpoint
from app.inference.generator import Answer, Generator, Request
from app.jobs.claims import Claim, Failed
from app.privacy import masking
from app.wording import percent, plural

WITHIN_REACH = "within reach on dev"
HOPELESS = 20  # rows from the start of an arm that all failed: nobody needs the same error 400 times


def measure(claim: Claim) -> None:
    """Bring a measurement to its end: all arms on dev, the best one on test, other models beside it, the result."""
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
        meter = ahead.meter(claim, session, baseline)
        waits = ahead.own_waits(session, baseline)
    belonging.take_over(claim, baseline.dataset_id)
    if waits:  # else Resume was pressed for another model
        with asked_model.opened(claim, baseline.model_id) as generator:
            _on_dev(claim, generator, meter)
            _on_test(claim, generator, meter)
    for model_id in other_models.asked(baseline):
        _beside(claim, model_id, meter)
    meter.begin("Writing the results down", split="end")
    with claim.write() as session:
        store.get(session, claim.subject_id).concluded_at = utcnow()


def _on_dev(claim: Claim, generator: Generator, meter: Meter) -> None:
    """Ask the dev rows in rounds, all arms in each; after a round those that surely lose are asked no more."""
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
        of_run = [arm for arm in baseline.arms if other_models.own(arm) and arm.family != "adapter"]
        pool = _pool(session, baseline)
        work = [_work(session, arm.id, "dev", pool) for arm in of_run if ahead.waits(arm.dev)]
        race = Race.of(
            baseline,
            [row.id for row in ahead.sample(session, baseline, "dev")],
            belonging.groups_of(session, baseline),
        )
    for free in [one for one in work if one.free]:
        _answer_rows(claim, free, None, meter)
        _conclude(claim, free, None)
    going = [one for one in work if not one.free]
    for number, end in enumerate(race.ends, start=1):
        rounds = f"Round {number} of {len(race.ends)}, " if len(race.ends) > 1 else ""
        for one in going:
            asked_model.same_model(claim, baseline.model_id)  # an answer of the questionnaire may have changed
            _answer_rows(claim, one, generator, meter, rows=set(race.rows[:end]), rounds=rounds)
            if end == len(race.rows):
                _conclude(claim, one, generator)
        if end < len(race.rows) and going:
            with claim.read() as session:
                lost = race.losers(session, store.get(session, claim.subject_id), end)
            for one in [one for one in going if one.arm.id in lost]:
                _conclude(claim, one, generator, lost[one.arm.id])
                meter.less(len(race.rows) - end)
                claim.log(f"{one.arm.label} was dropped after {plural(end, 'dev row')}.")
            going = [one for one in going if one.arm.id not in lost]


def _on_test(claim: Claim, generator: Generator, meter: Meter) -> None:
    """The best arm, those without a language model, and those that the dev rows cannot tell from the best."""
    for_test = _for_test(claim)
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
        may_follow, tested = rivals.rivals_at_most(session, baseline), len(ahead.sample(session, baseline, "test"))
        beside = ahead.for_others(session, baseline)
    for arm, why in for_test:
        asked_model.same_model(claim, baseline.model_id)
        left = _unanswered(claim, [one for one, _ in for_test], tested)
        meter.expect(left + beside, left + may_follow * tested + beside)
        answer_arm(claim, arm.id, "test", generator, meter=meter, why=why)
    with claim.read() as session:
        close = rivals.rivals_to_ask(session, store.get(session, claim.subject_id))
    for arm in close:
        meter.expect(_unanswered(claim, close, tested) + beside)
        answer_arm(claim, arm.id, "test", generator, meter=meter, why=WITHIN_REACH)


def _unanswered(claim: Claim, arms_: Sequence[ArmRow], rows: int) -> int:
    """How many of so many test rows each these arms have not answered: an attempt before this one may have begun."""
    with claim.read() as session:
        return sum(rows - len(answer_store.answered(session, arm.id, "test")) for arm in arms_)


def _beside(claim: Claim, model_id: int, meter: Meter) -> None:
    """Ask another model the same prompts on dev, and the better of them on test. Its faults cost its own arms only."""
    with claim.write() as session:
        baseline = store.get(session, claim.subject_id)
        on_dev = [arm.id for arm in other_models.settle(session, baseline, model_id) if ahead.waits(arm.dev)]
        again = [arm.id for arm in ahead.asked_again(baseline, model_id)]
        best = other_models.best(baseline, model_id)
        if not on_dev and not again and (best is None or not ahead.waits(best.test)):
            return
    try:
        with asked_model.opened(claim, model_id) as generator:
            for arm_id in on_dev:
                asked_model.same_model(claim, model_id)
                answer_arm(claim, arm_id, "dev", generator, meter=meter)
            with claim.read() as session:
                best = other_models.best(store.get(session, claim.subject_id), model_id)
            on_test = [best.id] if best is not None and ahead.waits(best.test) else []
            for arm_id in dict.fromkeys(on_test + again):
                asked_model.same_model(claim, model_id)
                answer_arm(claim, arm_id, "test", generator, meter=meter, why=other_models.BESIDE)
    except Failed as failure:
        claim.check()
        claim.log(f"Another model could not be asked to the end. {failure}")
        _not_asked(claim, model_id, f"Not asked: {failure}")


def _not_asked(claim: Claim, model_id: int, why: str) -> None:
    """Give an error to every row that another model left without an answer: Resume asks them again."""
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
        mine, best = other_models.arms_of(baseline, model_id), other_models.best(baseline, model_id)
        left = [_work(session, arm.id, "dev") for arm in mine if arm.dev is None]
        if not left and best is not None and best.test is None:
            left = [_work(session, best.id, "test")]
    for work in left:
        outbox = Outbox(claim)
        for example in work.waiting:
            request = Request(str(example.id), (), 0)
            nothing = Answer(request.id, "", "", 0, 0, 0.0, error=why)
            outbox.put(scored.stored(claim, work.arm, work.split, example, request, Asked(()), nothing))
        outbox.flush()
        _conclude(claim, work, None)


def answer_arm(
    claim: Claim,
    arm_id: int,
    split: str,
    generator: Generator | None,
    *,
    meter: Meter | None = None,
    why: str = "",
) -> ArmResult:
    """Have one arm answer the rows of a split that it has not answered, score them, and store the result.

    Training calls this for the adapter's arm: same rows, same rendering, same metric. A look at the test rows is
    written down before the first of them is asked. Returns the result as the arm's row keeps it.

    Raises:
        Failed: the model cannot be used, or the first rows all failed and nothing else in this measurement worked.
        Cancelled, Fenced, Stopping: pass them on.
    """
    with claim.read() as session:
        work = _work(session, arm_id, split)
    if split == "test" and not work.free:
        _note_look(claim, work.arm, why or ("adapter" if work.arm.family == "adapter" else "best on dev"))
    meter = meter or Meter(claim, total=len(work.waiting))
    _answer_rows(claim, work, generator, meter)
    return _conclude(claim, work, generator)


@dataclass
class Work:
    """One arm on one split, as a run goes on with it: its rows, and those that have an answer already.

    prepared: from the first round on, since it may take a look at every training row. answers, failed: so far, in this
    attempt."""

    arm: ArmRow
    split: str
    examples: Sequence[Example]
    pool: Sequence[Shot]
    done: set[int]
    prepared: Preparation | None = None
    answers: int = 0
    failed: int = 0

    @property
    def free(self) -> bool:
        """Whether it asks no language model."""
        return self.arm.family in arms.FREE

    @property
    def waiting(self) -> list[Example]:
        return [example for example in self.examples if example.id not in self.done]


def _work(session: Session, arm_id: int, split: str, pool: Sequence[Shot] | None = None) -> Work:
    """pool: the training rows, where they are at hand."""
    arm = store.arm(session, arm_id)
    if pool is None:
        needs_pool = arm.family in arms.FREE or {"shots", "scoring"} & set(arm.settings)
        pool = _pool(session, arm.baseline) if needs_pool else []
    done = answer_store.answered(session, arm_id, split)
    rows = with_passages.rows_of(session, arm, ahead.sample(session, arm.baseline, split))
    return Work(arm, split, rows, pool, done)


def _answer_rows(
    claim: Claim,
    work: Work,
    generator: Generator | None,
    meter: Meter,
    *,
    rows: Collection[int] | None = None,
    rounds: str = "",
) -> None:
    """Ask what has no answer of these rows (None: of all). rounds: how far a race is, for the progress."""
    asked_now = [example for example in work.waiting if rows is None or example.id in rows]
    number = len(work.examples) if rows is None else len(rows)
    meter.begin(f"{rounds}{work.arm.label}: {plural(number, work.split + ' row')}", work.arm.id, work.split)
    if work.free:
        _put_free(claim, work, asked_now, meter)
    elif asked_now:
        _ask(claim, work, asked_now, generator, meter)
    work.done |= {example.id for example in asked_now}
    claim.check()


def _conclude(claim: Claim, work: Work, generator: Generator | None, dropped: Dropped | None = None) -> ArmResult:
    """Sum an arm up; a dropped one by the rows that it was asked."""
    examples = [row for row in work.examples if row.id in work.done] if dropped else work.examples
    with claim.write() as session:
        result = concluding.conclude(session, work.arm.id, work.split, examples, work.pool, generator, dropped)
    watching.score_arm(claim, work.arm.id, work.split)
    return result


# ---------------------------------------------------------------- rows


def _pool(session: Session, baseline: BaselineRow) -> list[Shot]:
    """The training rows, the only ones that may be shown as examples."""
    return [
        Shot(row.id, row.line, tuple(row.messages), row.target)
        for row in dataset_store.rows(session, baseline.dataset_id, "train")
    ]


def _for_test(claim: Claim) -> list[tuple[ArmRow, str]]:
    """Arms that look at the test rows first: the best one, and those without a language model, which choose nothing.

    Raises:
        Failed: no arm counts, because each had too many errors.
    """
    with claim.read() as session:
        baseline = store.get(session, claim.subject_id)
        limit = error_share.limit(session, baseline)
    best = standing.leading(baseline)
    if best is None and any(arm.outdated for arm in baseline.arms):
        raise Failed("The documents or their index changed under the measurement. Start a new one.")
    if best is None:
        raise Failed(
            f"No variant can be evaluated: each one had errors on more than {percent(limit, 0)} of its "
            "rows. Look at the errors, fix the cause, and press Resume run."
        )
    revised = best.family in arms.REVISIONS
    best_first = (
        [(best, "best on dev after a revision" if revised else "best on dev")] if ahead.waits(best.test) else []
    )
    again = [(arm, WITHIN_REACH) for arm in ahead.asked_again(baseline) if arm.id != best.id]
    free = [(arm, "") for arm in baseline.arms if arm.family in arms.FREE and ahead.waits(arm.test)]
    return best_first + again + free


def _note_look(claim: Claim, arm: ArmRow, why: str) -> None:
    """Log a look at the test rows, once for each arm: from the third on they are no longer quite unseen."""
    with claim.write() as session:
        baseline = store.get(session, arm.baseline_id)
        if all(look["arm"] != arm.name for look in baseline.test_looks):
            look = {"arm": arm.name, "title": arm.title, "at": utcnow().isoformat(), "by": claim.by, "why": why}
            baseline.test_looks = [*baseline.test_looks, look]


# ---------------------------------------------------------------- asking


def _ask(claim: Claim, work: Work, waiting: Sequence[Example], generator: Generator | None, meter: Meter) -> None:
    """Ask for every waiting row and store what comes, errors too."""
    if generator is None:
        raise ValueError("only an arm without a model needs no generator")
    arm, split = work.arm, work.split
    batch = Batch.of(claim, arm, _prepared(claim, work), waiting)
    intake = Intake.of(claim, arm, split, batch, meter, unseen=isinstance(generator, Endpoint))
    hopeless = ""
    try:
        for _ in intake.kept(batch.unscored(claim, arm, split), paid=False):
            meter.take(1)
        known = {reply.answer.id: reply for reply in batch.earlier(claim, arm.baseline.assessment_id)}
        taken_from = {name: reply.answer_id for name, reply in known.items()}
        for _ in intake.kept((reply.answer for reply in known.values()), taken_from, paid=False):
            meter.take(1)
        intake.outbox.flush()
        if not batch.unanswered:
            return
        with closing(_answers(claim, generator, list(batch.unanswered.values()), meter)) as answers:
            for row in intake.kept(answers):
                meter.count()
                work.answers += 1
                work.failed += row["error"] is not None
                if work.failed == work.answers == HOPELESS:
                    hopeless = masking.mask(row["error"] or "")
                    break
    finally:
        intake.close()  # whatever ends this: answers that came are kept
    if hopeless:
        _give_up(claim, arm, split, f"The first {HOPELESS} rows all failed. The last one: {hopeless}")
        _put_unasked(claim, work, batch, intake.outbox)
    elif batch.unanswered and meter.control is not None:
        meter.control.check()


def _prepared(claim: Claim, work: Work) -> Preparation:
    if work.prepared is None:
        found = with_passages.look_up(claim, work.arm, work.examples)
        embed = asked_model.embed_for(claim, work.arm)
        work.prepared = asking.preparation(work.arm, work.pool, work.examples, embed, found)
    return work.prepared


def _answers(
    claim: Claim, generator: Generator, requests: Sequence[Request], meter: Meter
) -> Closable[Answer, None, None]:
    """What the model answers, as far as people let the run go on. Generators can be closed, which the interface does
    not promise."""
    stop = claim.cancelled
    if isinstance(generator, Endpoint):
        generator.on_wait = meter.waits
    if meter.control is not None:
        meter.control.check()
        stop = meter.control.leads(generator)
    return (answer for answer in generator.answer(requests, stop))


def _put_unasked(claim: Claim, work: Work, batch: Batch, outbox: Outbox) -> None:
    """Give an error to every row that is left, also those of later rounds: the arm is not asked again."""
    why = f"Not asked: the first {HOPELESS} rows all failed."
    for example in work.waiting:
        nothing = Answer(str(example.id), "", "", 0, 0, 0.0, error=why)
        request = batch.unanswered.get(nothing.id, Request(nothing.id, (), 0))
        asked = batch.asked.get(nothing.id, Asked(()))
        outbox.put(scored.stored(claim, work.arm, work.split, example, request, asked, nothing))
    work.done = {example.id for example in work.examples}
    outbox.flush()


def _give_up(claim: Claim, arm: ArmRow, split: str, why: str) -> None:
    """An arm that cannot be asked costs that arm, as long as the model has answered another one.

    Raises:
        Failed: it has not, or it is the test rows that cannot be asked.
    """
    claim.check()
    with claim.read() as session:
        others = (
            split == "dev" and arm.family != "adapter" and answer_store.any_answer(session, arm.baseline_id, arm.id)
        )
    if not others:
        raise Failed(why)
    claim.log(f"{arm.label} was given up. {why}")


def _free(free: without_model.Free) -> tuple[Request, Asked, Answer]:
    """What an arm without a language model answered, as one that asks a model would have it."""
    request, asked = Request(str(free.example.id), (), 0), Asked((), free.copied)
    return request, asked, Answer(request.id, free.text, "stop", 0, 0, 0.0, chances=free.chances or None)


def _put_free(claim: Claim, work: Work, waiting: Sequence[Example], meter: Meter) -> None:
    """Answer without a language model. One that needs an embedding model which can't be had costs this arm only."""
    arm, outbox = work.arm, Outbox(claim, FREE_ROWS)
    scorer = scored.scorer_of(claim, arm.baseline)
    judged, before = Judged.of(claim, arm, scorer, outbox, meter), meter.done
    try:
        there = without_model.answers(arm, waiting, work.pool, asked_model.embed_for(claim, arm))
        for several in judged.few(((free, _free(free)) for free in there), paid=False):
            asked_about = [(answer, asked, free.example, 0) for free, (_, asked, answer) in several]
            scorable = judged.ahead(asked_about, paid=False)
            for free, (request, asked, answer) in several[:scorable]:
                outbox.put(scored.stored(claim, arm, work.split, free.example, request, asked, answer, scorer=scorer))
                meter.count(timed=judged.decides)
            if scorable < len(several) and meter.control is not None:
                meter.control.check()
    except Failed as failure:
        claim.check()
        claim.log(f"{arm.label} was given up. {failure}")
        for example in waiting:
            request = Request(str(example.id), (), 0)
            nothing = Answer(request.id, "", "", 0, 0, 0.0, error=f"Not asked: {failure}")
            outbox.put(scored.stored(claim, arm, work.split, example, request, Asked(()), nothing))
        meter.count(len(waiting) - (meter.done - before), timed=False)
    finally:
        scorer.close()
        outbox.flush()
