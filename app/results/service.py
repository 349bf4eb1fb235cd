"""The result: the adapter against the best arm on the same rows, and everything that travels with it."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import IO, cast

from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.baselines import answers_view, asking, belonging, deciding_judge, differences, measured_model, standing
from app.baselines import store as baseline_store
from app.baselines.tables import ArmRow, BaselineRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.db import installation_of
from app.errors import Conflict, NotFound
from app.evaluation import metrics
from app.evaluation.comparison import Comparison, Kind, Rival, against_all, rival, unasked
from app.evaluation.kept_result import KeptResult, KeptRival
from app.evaluation.not_worse import NotWorse
from app.evaluation.standing_in import changing_nothing, in_place_of
from app.evaluation.statistics import GRADED, Difference
from app.gate import reviews
from app.gate import store as review_store
from app.gate.tables import ReviewRow
from app.inference import service as models
from app.inference import store as model_store
from app.json_types import JsonObject
from app.release import service as releases
from app.release.service import Release
from app.results import card, evaluation_file, legs, store
from app.results.card import ArmFacts, CardFacts
from app.results.legs import Together
from app.training import store as trainings
from app.training.tables import TrainingRow
from app.wording import percent

NEVER_STOPS = (
    0.1  # above this share of answers cut at the limit (and above the best prompt's), an adapter does not stop
)
UNLABELLED = (
    "No label is of the adapter's own answers: read some of the rows that it fixed, since one that has "
    "taken on the LLM judge's taste wins by it."
)
SAMPLES = 3  # prompts that go with the weights: enough to see how a question stands
TOKENIZER = frozenset(
    {
        "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
        "vocab.txt", "merges.txt", "tokenizer.model", "chat_template.jinja",
    }
)  # fmt: skip
LARGEST_IN_MEMORY = 8 * 1024 * 1024  # bytes of a bundle; a larger one waits on the disk while it is sent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out. compared: None until both arms have answered the same rows.

    left_out: rows that one of the two could not answer; they are no evidence either way. rivals: what else had to be
    beaten, and was or was not; none for runs of earlier versions. replaces: against the stronger model whose work it is
    to take over, where the run was approved for that; the verdict goes by it.
    """

    training: TrainingRow
    baseline: BaselineRow
    best: ArmRow | None
    adapter: ArmRow | None
    compared: Comparison | None
    left_out: int
    rivals: Sequence[Rival] = ()
    replaces: NotWorse | None = None

    @property
    def reaches_target(self) -> bool | None:
        """Whether the adapter's score is at the target or above; None when either is unknown."""
        if self.baseline.target is None or not self.adapter or not self.adapter.test:
            return None
        return self.adapter.test.score >= self.baseline.target


def outcome(session: Session, training_id: int) -> Outcome:
    """Pair the adapter with the best prompt arm of its own baseline run, row by row."""
    training = trainings.get(session, training_id)
    baseline = baseline_store.get(session, training.baseline_id)
    adapter = next((arm for arm in baseline.arms if arm.id == training.arm_id), None)
    best = judged_against(training, baseline)
    if adapter is None or best is None or not adapter.test:
        return Outcome(training, baseline, best, adapter, None, 0)
    judged, left_out = belonging.pairs(session, best.id, adapter.id, "test")
    compared = belonging.compared(session, baseline, judged) if judged else None
    rivals = _rivals(session, training, baseline, adapter, compared) if compared else []
    if compared:
        compared = against_all(compared, rivals)
    replaces = _replaces(session, training, baseline, adapter) if compared else None
    if compared and replaces:
        compared = in_place_of(compared, replaces)
    if compared and compared.verdict == "improved" and (share := cut(adapter)) > max(NEVER_STOPS, cut(best)):
        sentence = (
            f"{percent(share, 0)} of the adapter's answers went on to the length limit: it does not stop by itself. "
            "That is no improvement to rely on, whatever the score. Look at the warnings of the preflight about its "
            "stop token."
        )
        compared = replace(compared, verdict="inconclusive", words=sentence)
    if compared and (judge := deciding_judge.of(baseline.judge)) is not None:
        compared = replace(compared, words=f"{compared.words} {judge.words} {UNLABELLED}")
    if compared and (same := releases.unchanged(session, training.id)):
        compared = changing_nothing(compared, same)
    stored: KeptResult = training.result or {}
    if compared and stored and not metrics.get(baseline.metric).binary and stored.get("graded") != GRADED:
        compared, rivals = _as_stored(compared, stored)
    return Outcome(training, baseline, best, adapter, compared, left_out, rivals, replaces)


def _replaces(session: Session, training: TrainingRow, baseline: BaselineRow, adapter: ArmRow) -> NotWorse | None:
    """The adapter against the teacher that it was launched to replace, with the margin of that day."""
    teacher = training.training_facts.get("teacher")
    if not teacher:
        return None
    arm = baseline_store.arm(session, teacher["arm"])
    return differences.keeps_up(session, baseline, arm, adapter, teacher["margin"])


def _as_stored(today: Comparison, stored: KeptResult) -> tuple[Comparison, list[Rival]]:
    """What was said on the day, where intervals of graded scores were worked out in another way than today."""
    needed = today.rows_for_answer if stored.get("verdict") == today.verdict else None
    then = replace(
        today,
        verdict=stored.get("verdict", today.verdict),
        words=stored.get("words", today.words),
        low=stored.get("low", today.low),
        high=stored.get("high", today.high),
        p=stored.get("p", today.p),
        rows_for_answer=needed,
    )
    return then, [Rival(**stored_rival) for stored_rival in stored.get("rivals", ())]


def _rivals(
    session: Session, training: TrainingRow, baseline: BaselineRow, adapter: ArmRow, first: Comparison
) -> list[Rival]:
    """The adapter against everything else that it was launched to beat, row by row."""
    to_beat = training.training_facts.get("rivals")
    if to_beat is None:
        return []
    binary, groups = metrics.get(baseline.metric).binary, belonging.groups_of(session, baseline)
    labels = deciding_judge.labels_of(baseline.judge)
    by_name = {arm.name: arm for arm in baseline.arms}
    rivals: list[Rival] = []
    free, prompts = to_beat.get("free", []), to_beat.get("prompts", [])
    tested: tuple[tuple[list[str], Kind], ...] = ((free, "free"), (prompts, "prompt"))
    for names, kind in tested:
        for arm in (by_name[name] for name in names if name in by_name):
            pairs, _ = belonging.pairs(session, arm.id, adapter.id, "test")
            if pairs:
                rivals.append(rival(arm.label, kind, pairs, binary=binary, groups=groups, labels=labels))
    for name, *seen in to_beat.get("unasked", ()):
        title = by_name[name].label if name in by_name else name
        rivals.append(unasked(title, first, Difference(*seen)))
    return rivals


def not_worse(session: Session, outcome: Outcome) -> NotWorse | None:
    """The adapter against what it is to replace where it is cheaper or faster: the best stronger model that was asked
    the test rows, else the best prompt. None while it has no answers."""
    if outcome.adapter is None or outcome.best is None or outcome.compared is None:
        return None
    if outcome.replaces is not None:
        return outcome.replaces
    replaced = differences.teacher(outcome.baseline, "test") or outcome.best
    both = differences.between(session, outcome.baseline, replaced.id, outcome.adapter.id, "test")
    return both.not_worse


def models_of(session: Session, outcome: Outcome) -> tuple[str, str]:
    """What the prompts were asked of, and what was trained: the same name twice where it is the same model."""
    model = model_store.get(session, outcome.training.model_id)
    measured = measured_model.model_of(session, outcome.baseline)
    return (model.name if measured_model.same_weights(measured, model) else measured.name), model.name


def cut(arm: ArmRow) -> float:
    """The share of an arm's test answers that hit the length limit."""
    return arm.test.cut_share if arm.test else 0.0


def together(outcome: Outcome) -> Together | None:
    """What the several trainings of the run say together; None for a run that is one."""
    return legs.together(outcome.training, outcome.baseline, outcome.best)


def judged_against(training: TrainingRow, baseline: BaselineRow) -> ArmRow | None:
    """The arm that was to beat when the run was launched. A revision that is tried afterwards changes no result; for
    runs of earlier versions it is the one that their stored result names."""
    named = training.training_facts.get("compared_with") or (training.result or {}).get("compared_with")
    if not named:
        return standing.best(baseline)
    return next((arm for arm in baseline.arms if arm.name == named and arm.test), None)


def summary(outcome: Outcome) -> KeptResult | None:
    """The comparison in short, for lists and for the record; None when there was nothing to compare. Release checks are
    not worked out again: what was kept of them stays."""
    compared = outcome.compared
    if compared is None:
        return None
    summary: KeptResult = {
        "verdict": compared.verdict,
        "words": compared.words,
        "rows": compared.rows,
        "left_out": outcome.left_out,
        "before": compared.before,
        "after": compared.after,
        "delta": compared.delta,
        "low": compared.low,
        "high": compared.high,
        "p": compared.p,
        "test": compared.test,
        "fixed": len(compared.fixed),
        "broken": len(compared.broken),
        "compared_with": outcome.best.name if outcome.best else "",
        "reaches_target": outcome.reaches_target,
    }
    if not metrics.get(outcome.baseline.metric).binary:
        summary["graded"] = GRADED
    if outcome.rivals:
        summary["rivals"] = [cast("KeptRival", asdict(each)) for each in outcome.rivals]
    if (several := together(outcome)) and several.spread:
        summary["spread"] = several.spread.to_json()
    if outcome.replaces:
        summary["replaces"] = asdict(outcome.replaces)
    if outcome.training.result and (release := outcome.training.result.get("release")):
        summary["release"] = release
    return summary


def changed(session: Session, outcome: Outcome, which: str, first: int, number: int) -> Sequence[store.Example]:
    """A page of the rows that the adapter fixed or broke, both answers side by side."""
    if outcome.compared is None or outcome.best is None or outcome.adapter is None:
        return ()
    ids = outcome.compared.fixed if which == "fixed" else outcome.compared.broken
    hide = answers_view.masking(session, outcome.baseline)
    return [
        replace(
            example,
            messages=hide.turns(example.messages),
            target=hide.text(example.target),
            before=hide.text(example.before),
            after=hide.text(example.after),
        )
        for example in store.examples(session, outcome.best.id, outcome.adapter.id, ids[first : first + number])
    ]


def release_of(session: Session, outcome: Outcome) -> Release | None:
    """The release checks as they were kept with the result, fit to be read: labels may hold what is masked."""
    kept = releases.of_run(outcome.training)
    if kept is None:
        return None
    hide = answers_view.masking(session, outcome.baseline)
    checks = tuple(replace(check, words=hide.text(check.words)) for check in kept.checks)
    return Release(checks, tuple(replace(part, value=hide.text(part.value)) for part in kept.slices))


def facts(session: Session, outcome: Outcome) -> CardFacts:
    training, baseline = outcome.training, outcome.baseline
    subject = reviews.subject_of(review_store.get(session, training.review_id))
    if subject.baseline is None or subject.training is None or subject.dataset is None:
        raise Conflict("The approved subject of this run is none for training.")
    model = model_store.get(session, training.model_id)
    name, revision = models.public_name(model)
    installation = installation_of(session)
    origin = models.origin(installation.settings if installation else None, model)
    measured = measured_model.model_of(session, baseline)
    approved = {arm.name for arm in subject.baseline.arms}  # what was tried since is not part of this result
    approved_arms = [arm for arm in baseline.arms if arm.name in approved]
    arms = [_arm(arm) for arm in approved_arms]
    return CardFacts(
        name=assessment_store.get(session, training.assessment_id).title,
        base_model=name,
        revision=revision,
        metric=baseline.metric,
        target=baseline.target,
        instructions=subject.training.instructions,
        passages=subject.training.passages,
        constraint=outcome.adapter.settings.get("constraint") if outcome.adapter else None,
        arms=[arm for arm in arms if arm],
        adapter=_arm(outcome.adapter) if outcome.adapter else None,
        compared_with=outcome.best.label if outcome.best else "",
        compared=outcome.compared,
        rivals=outcome.rivals,
        late_targets=subject.baseline.earlier.late_targets or (),
        recipe=training.recipe,
        train_rows=subject.dataset.rows.train,
        data_sha256=subject.dataset.rows_sha256 or "",
        digest=training.digest,
        training_id=training.id,
        made_on=(training.finished_at or training.launched_at).date().isoformat(),
        published=origin.published,
        made=origin.made,
        licence=origin.licence,
        measured_on="" if measured_model.same_weights(measured, model) else measured.name,
        metric_options=baseline.metric_options,
        dev=[arm for arm_row in approved_arms if (arm := _arm(arm_row, "dev"))],
        reaches_target=outcome.reaches_target,
        libraries=training.training_facts.get("libraries") or {},
        release=release_of(session, outcome),
        together=together(outcome),
        dev_score=training.training_facts.get("best_score"),
        bits=model.bits,
        thinks=bool(subject.dataset.reasoning),
        judge=deciding_judge.of(baseline.judge),
    )


def _arm(arm: ArmRow, split: str = "test") -> ArmFacts | None:
    result = arm.test if split == "test" else arm.dev
    if result is None:
        return None
    return ArmFacts(arm.name, arm.label, result.score, result.low, result.high, result.n, result.errors)


def bundle(session: Session, blobs: Blobs, training_id: int) -> IO[bytes]:
    """The adapter as a zip in PEFT layout with card, measurements, decision and hashes; read it from the start.

    Raises:
        NotFound: there is no adapter (yet).
        Damaged: the stored adapter is not the one that was stored.
    """
    result = outcome(session, training_id)
    training = result.training
    if training.adapter_sha256 is None:
        raise NotFound("There is no adapter yet.")
    if not blobs.intact(training.adapter_sha256):
        blobs.damaged(training.adapter_sha256)
    card_facts = facts(session, result)
    added = papers(session, result, card_facts) | {"README.md": card.card(card_facts).encode()}
    added |= _tokenizer(session, training)
    out: IO[bytes] = SpooledTemporaryFile(LARGEST_IN_MEMORY)  # noqa: SIM115 - whoever sends it closes it
    hashes = {}
    with (
        blobs.open(training.adapter_sha256) as stored,
        zipfile.ZipFile(stored) as made,
        zipfile.ZipFile(out, "w") as zipped,
    ):
        for name in sorted({*made.namelist()} - {*added, "SHA256SUMS"}):
            hashes[name] = _copy(made, zipped, name)
        for name, content in added.items():
            zipped.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
            hashes[name] = sha256(content).hexdigest()
        zipped.writestr(zipfile.ZipInfo("SHA256SUMS"), card.sums(hashes))
    out.seek(0)
    return out


def papers(session: Session, outcome: Outcome, card_facts: CardFacts) -> dict[str, bytes]:
    """What goes with the weights besides the card: measurements, decision, how it was made, prompts as asked."""
    training = outcome.training
    review = review_store.get(session, training.review_id)
    samples = _prompts(session, outcome)
    return {
        "evaluation.json": _json(evaluation_file.evaluation(card_facts)),
        "decision.json": _json(_decision(review)),
        "training.json": _json({"recipe": training.recipe, "facts": training.training_facts}),
        "subject.json": review.subject.encode(),
        **({"prompts.jsonl": samples} if samples else {}),
    }


def _prompts(session: Session, outcome: Outcome) -> bytes:
    """A few dev rows as the adapter is asked them, personal data hidden, one a line. None where passages are searched
    for each question: the card says how those stand."""
    if outcome.adapter is None or outcome.adapter.settings.get("passages"):
        return b""
    arm = baseline_store.arm(session, outcome.adapter.id)
    hide, prepared = answers_view.masking(session, arm.baseline), asking.preparation(arm, ())
    lines = []
    for row in dataset_store.rows(session, arm.baseline.dataset_id, "dev")[:SAMPLES]:
        turns = [{"role": turn.role, "content": hide.text(turn.content)} for turn in prepared.ask(row).messages]
        lines.append(json.dumps({"messages": turns, "expected": hide.text(row.target)}, ensure_ascii=False) + "\n")
    return "".join(lines).encode()


def _tokenizer(session: Session, training: TrainingRow) -> dict[str, bytes]:
    """The base model's tokenizer and chat template, where its files are those that were trained on; else nothing."""
    model, installation = model_store.get(session, training.model_id), installation_of(session)
    if installation is None or model.kind == "endpoint":
        return {}
    place, files = models.folder(installation.settings, model), {}
    for name in sorted(TOKENIZER & set(model.files)):
        try:
            content = (place / name).read_bytes()
        except OSError:
            return {}
        if sha256(content).hexdigest() != model.files[name]:
            return {}
        files[name] = content
    return files


def _copy(source: zipfile.ZipFile, target: zipfile.ZipFile, name: str) -> str:
    """Copy one file, a piece at a time; weights hardly compress, so they are stored as they are."""
    digest = sha256()
    with source.open(name) as original, target.open(zipfile.ZipInfo(name), "w", force_zip64=True) as copy:
        while piece := original.read(1 << 20):
            digest.update(piece)
            copy.write(piece)
    return digest.hexdigest()


def _decision(review: ReviewRow) -> JsonObject:
    subject = reviews.text_of(review)
    return {
        "digest": review.digest,
        "review": review.id,
        "verdict": subject["verdict"],
        "policy": subject["policy"],
        "approvals": [
            {"reviewer": decision.reviewer_id, "at": decision.at.isoformat(), "digest": decision.digest}
            for decision in review.decisions
            if decision.kind == "approve" and decision.voided_at is None
        ],
    }


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
