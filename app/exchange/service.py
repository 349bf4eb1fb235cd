"""A measurement as a file: in which forms there are, and what each of them is made of.

Everything is read while it is sent, in one reading transaction: a file of a million answers takes no more memory than
one of a hundred.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.baselines import answers_view, measured_model, other_models, standing, tag_store
from app.baselines import store as baseline_store
from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.baselines.prompts import Passage
from app.baselines.spending import Prices, Used
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.evaluation import metrics
from app.exchange import junit, lm_eval, promptfoo, store, tables_of_answers
from app.exchange.values import Block, ExportedAnswer, ExportedPassage, Lines, Measurement, Split
from app.inference import folders

Kind = Literal["jsonl", "csv", "promptfoo.json", "lm-eval.zip", "junit.xml"]
Rows = Literal["all", "dev", "test"]


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of file. about: what it is for, in one line."""

    kind: Kind
    title: str
    about: str
    media: str


FORMS: Mapping[str, Form] = {
    form.kind: form
    for form in (
        Form("csv", "CSV", "for spreadsheets", "text/csv; charset=utf-8"),
        Form("jsonl", "JSON lines", "one answer a line, for programs", "application/x-ndjson"),
        Form("promptfoo.json", "promptfoo", "results that promptfoo import takes", "application/json"),
        Form("lm-eval.zip", "lm-eval", "summary and samples of the evaluation harness", "application/zip"),
        Form("junit.xml", "JUnit XML", "a test case a row, for build servers", "application/xml"),
    )
}


def splits_of(rows: Rows) -> list[Split]:
    match rows:
        case "all":
            return ["dev", "test"]
        case _:
            return [rows]


def written(
    session: Session, blobs: Blobs, baseline_id: int, kind: Kind, rows: Rows = "all", user_id: int = 0
) -> Iterator[bytes]:
    """The file, a piece at a time. user_id: who downloads it; of what they tag blind they get their own words only."""
    baseline = baseline_store.get(session, baseline_id)
    about = measurement(session, baseline)
    blocks = list(_blocks(session, baseline, rows))
    lines = lines_of(session, blobs, baseline, about, user_id)
    match kind:
        case "jsonl":
            yield from tables_of_answers.jsonl(about, blocks, lines)
        case "csv":
            yield from tables_of_answers.as_csv(about, blocks, lines)
        case "promptfoo.json":
            answered = store.rows_answered(session, [arm.id for arm in baseline.arms], [*splits_of(rows)])
            places = {row: place for place, row in enumerate(answered)}
            yield from promptfoo.results(about, blocks, lines, places)
        case "lm-eval.zip":
            yield from lm_eval.archive(about, blocks, lines)
        case "junit.xml":
            yield from junit.xml(about, blocks, lines)


def measurement(session: Session, baseline: BaselineRow) -> Measurement:
    """What holds for every answer of a measurement."""
    dataset = dataset_store.get(session, baseline.dataset_id)
    return Measurement(
        assessment=baseline.assessment_id,
        title=assessment_store.get(session, baseline.assessment_id).title,
        number=baseline.id,
        dataset_version=dataset.version,
        rows_sha256=dataset.rows_sha256 or "",
        split_sha256=dataset.split_sha256 or "",
        metric=baseline.metric,
        metric_options=baseline.metric_options,
        binary=metrics.get(baseline.metric).binary,
        passing=standing.passing(baseline),
        target=baseline.target,
        rules=standing.rules(baseline),
        instructions=baseline.instructions,
        max_tokens=baseline.max_tokens,
        seed=baseline.seed,
        started_at=baseline.created_at.isoformat(),
        concluded_at=baseline.concluded_at.isoformat() if baseline.concluded_at else "",
        currency=Prices.from_json(baseline.prices).currency,
    )


def _blocks(session: Session, baseline: BaselineRow, rows: Rows) -> Iterator[Block]:
    """Every variant that answered any of the rows, split by split."""
    own = measured_model.model_of(session, baseline).part()
    for split in splits_of(rows):
        for arm in baseline.arms:
            tally = store.tally(session, arm.id, split, standing.passing(baseline))
            if not tally.asked:
                continue
            named, answered = _names(arm, own if other_models.own(arm) else other_models.model_of(arm).part())
            yield Block(
                arm_id=arm.id,
                arm=arm.name,
                title=arm.label,
                family=arm.family,
                instructions=standing.instructions_of(baseline, arm) if not standing.value(arm).free else "",
                examples=int(arm.settings.get("k", 0)) if arm.settings.get("shots") else 0,
                split=split,
                model=named,
                answered=answered,
                tally=tally,
                cost=_cost(session, baseline, arm, split),
            )


def _cost(session: Session, baseline: BaselineRow, arm: ArmRow, split: Split) -> float | None:
    """Money for an arm's answers to a split; None where its model has no price, or nobody knows what they took."""
    model_id = int(arm.settings.get("model_id", baseline.model_id))
    asked = store.asked(session, arm.id, split)
    if standing.value(arm).free or asked.unknown:
        return None
    used = Used(
        asked.prompt_tokens + asked.prompt_characters / CHARACTERS_PER_TOKEN,
        asked.completion_tokens + asked.characters / CHARACTERS_PER_TOKEN,
    )
    return Prices.from_json(baseline.prices).cost(model_id, used)


def _names(arm: ArmRow, model: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The model that was asked for, and the names under which it answered. No path of this machine leaves it."""
    if standing.value(arm).free:
        return "none", ()
    if model["kind"] == "endpoint":
        reported = [name for result in (arm.dev, arm.test) if result for name in result.reported or ()]
        return model["reference"], tuple(dict.fromkeys(reported))
    digest = folders.digest_of(model["files"])[:12] if model["files"] else ""
    return model["name"], (f"{model['name']} files-{digest}",) if digest else ()


def lines_of(session: Session, blobs: Blobs, baseline: BaselineRow, about: Measurement, user_id: int = 0) -> Lines:
    """What reads the answers of one variant on one split, a page of them at a time."""
    hide = answers_view.masking(session, baseline)
    own = tag_store.own_words(session, baseline.id, user_id)
    arms = {arm.id: arm for arm in baseline.arms}

    def lines(block: Block) -> Iterator[ExportedAnswer]:
        for page in store.pages(session, block.arm_id, block.split):
            examples = answers_view.examples_by_id(session, {answer.example_id for answer in page})
            arm = arms[block.arm_id]
            texts, held = answers_view.passages_of(session, blobs, arm, page), arm.settings.get("constraint")
            for answer in page:
                seen = answers_view.view(baseline, examples, answer, hide, own=own)
                yield replace(
                    _line(about, block, seen),
                    constraint=f"{held['kind']} {held['sha256']}" if held else None,
                    passages=_passages(answer, texts),
                )

    return lines


def _passages(answer: AnswerRow, texts: Mapping[int, Passage]) -> tuple[ExportedPassage, ...]:
    kept = answer.details or {}
    gold = set(kept.get("gold", ()))
    return tuple(
        ExportedPassage(number, texts[number].title, texts[number].text, score, number in gold if gold else None)
        for number, score in kept.get("passages", ())
        if number in texts
    )


def _line(about: Measurement, block: Block, seen: answers_view.AnswerView) -> ExportedAnswer:
    answer = seen.answer
    return ExportedAnswer(
        baseline=about.number,
        arm=block.arm,
        split=block.split,
        example_id=answer.example_id,
        line=seen.line,
        question=seen.question,
        target=seen.target,
        output=seen.output,
        raw=seen.raw if seen.raw is not None or answer.error else seen.output,
        compared_target=seen.compared_target,
        compared_output=seen.compared_output,
        metric=about.metric,
        score=answer.score,
        correct=seen.right,
        status=answer.status,
        error=seen.error,
        finish=answer.finish,
        cause=seen.cause or None,
        prompt_sha256=answer.prompt_sha256,
        shots=tuple(answer.shots),
        prompt_tokens=answer.prompt_tokens if answer.tokens_known else None,
        completion_tokens=answer.completion_tokens if answer.tokens_known else None,
        latency_ms=None if answer.taken_from else round(1000 * answer.seconds),
        taken_from=answer.taken_from,
        cost=seen.cost.money if seen.cost else None,
        cost_from=seen.cost.source if seen.cost else None,
        attempt=answer.attempt,
        created_at=answer.created_at.isoformat(),
        title=block.title,
        model=block.model,
        model_answered=block.answered,
        metric_options=about.metric_options,
        rules=about.rules,
        rows_sha256=about.rows_sha256,
        split_sha256=about.split_sha256,
    )
