"""The gate: what the criteria say, asking for review, deciding, and the permission to launch.

Nothing here trusts a flag. Whether training may start is worked out each time from stored content: the subject is built
again, its digest is compared with the one a reviewer approved, and every criterion is looked at once more.
"""

import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.advice import case, verdict
from app.advice.policy import Policy
from app.advice.verdict import Advice
from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit import service as audit
from app.audit import store as audit_store
from app.baselines import service as baselines
from app.baselines import store as baseline_store
from app.baselines.tables import BaselineRow
from app.blobs import Blobs
from app.datasets import facts as dataset_facts
from app.datasets import store as dataset_store
from app.datasets.tables import DatasetRow
from app.db import installation_of, know, once, utcnow
from app.documents import service as documents
from app.economics import service as economics
from app.economics import store as cost_store
from app.errors import Conflict, DigestMissing, FieldError, Forbidden, GateClosed, Invalid, Stale
from app.gate import permission, store, subject
from app.gate.permission import Approval, Person
from app.gate.tables import DecisionRow, ReviewRow
from app.inference import service as models
from app.inference import store as model_store
from app.inference.tables import ModelRow
from app.policies import service as policies
from app.users.tables import Role, UserRow

LOOKED_AT = 200  # of the newest assessments, when a policy is tried out on them; some 2 ms each
SCHEMA = 1  # of the subject; a new field that matters to a reviewer raises it


# ---------------------------------------------------------------- what the criteria say


def evidence(session: Session, assessment: AssessmentRow) -> dict[str, Any]:
    """Everything measured so far, by the names of the case file. Measured values override declared ones."""
    return once(session, ("evidence", assessment.id), lambda: _evidence(session, assessment.id))


def _evidence(session: Session, assessment_id: int) -> dict[str, Any]:
    base = base_model(session, assessment_id)
    parts = [
        dataset_facts.measured(session, assessment_id),
        documents.measured(session, assessment_id),
        baselines.measured(session, assessment_id, base),
        economics.measured(session, assessment_id, base),
    ]
    found = {key: value for part in parts for key, value in part.items()}
    arms = {arm: result for part in parts for arm, result in part.get("arms", {}).items()}
    return found | ({"arms": arms} if arms else {})  # the check of the data tries an arm of its own


def base_model(session: Session, assessment_id: int) -> ModelRow | None:
    """The model that would be trained, by the recipe; None while there is none."""
    recipe = store.recipe(session, assessment_id)
    return (
        once(session, ("model", recipe.model_id), lambda: model_store.get(session, recipe.model_id)) if recipe else None
    )


def measurement(session: Session, assessment_id: int) -> BaselineRow | None:
    """The measurement that counts for this assessment: on the base that would be trained, where there is one."""
    return baselines.counting(session, assessment_id, base_model(session, assessment_id))


def read_ahead(session: Session, assessments: Sequence[AssessmentRow]) -> None:
    """Read what `evidence` looks at for many assessments in a few queries; a list of them asks for each one next."""
    ids = [assessment.id for assessment in assessments]
    recipes = store.read_ahead_recipes(session, ids)
    bases = model_store.of_ids(session, {recipe.model_id for recipe in recipes})
    know(session, {("model", row.id): row for row in bases})
    dataset_store.read_ahead(session, ids)
    baseline_store.read_ahead(session, ids)
    cost_store.read_ahead(session, ids)
    documents.read_ahead(session, ids)


def judge(session: Session, assessment: AssessmentRow) -> Advice:
    """The advice for an assessment as it stands, from the same function that `advise` runs on a file, by the policy
    that the assessment began with."""
    return once(
        session,
        ("advice", assessment.id),
        lambda: _judge(session, assessment, assessments.policy_of(session, assessment)),
    )


def judge_today(session: Session, assessment: AssessmentRow) -> Advice:
    """What the advice would be under the newest policy; the same as `judge` where that is the assessment's own."""
    if assessment.policy_id == policies.todays_id(session):
        return judge(session, assessment)
    return _judge(session, assessment, policies.today(session))


@dataclass(frozen=True, slots=True)
class Effect:
    """What another policy makes of one assessment."""

    assessment: AssessmentRow
    before: Advice
    after: Advice

    @property
    def other(self) -> bool:
        """Whether it is other advice: what to do now, whether training is unlocked, or what it leans towards."""
        return _outcome(self.before) != _outcome(self.after)


def effects(session: Session, policy: Policy) -> list[Effect]:
    """What the newest assessments would be told under another policy, beside what they are told under their own."""
    rows = assessment_store.before(session, assessment_store.Wanted(), None, LOOKED_AT)
    read_ahead(session, rows)
    return [Effect(row, judge(session, row), _judge(session, row, policy)) for row in rows]


def _outcome(advised: Advice) -> tuple[str | None, ...]:
    return advised.approach, advised.training, advised.leaning, advised.technique


def _judge(session: Session, assessment: AssessmentRow, policy: Policy) -> Advice:
    given = {"answers": assessments.answers(assessment), "measured": evidence(session, assessment)}
    return verdict.advise(case.parse(given), policy)


# ---------------------------------------------------------------- the subject


def build_subject(session: Session, assessment: AssessmentRow) -> dict[str, Any]:
    """Everything that a reviewer approves, from stored content as it is now. Titles and comments are not part of it."""
    return once(session, ("subject", assessment.id), lambda: _build_subject(session, assessment))


def _build_subject(session: Session, assessment: AssessmentRow) -> dict[str, Any]:
    advised = judge(session, assessment)
    dataset = dataset_store.current(session, assessment.id)
    baseline = measurement(session, assessment.id)
    return {
        "schema": SCHEMA,
        "assessment": assessment.id,
        "revision": assessment.revision,
        "answers": assessments.answers(assessment),
        "questions": assessment.questions_version,
        "policy": {"version": advised.policy_version, "sha256": advised.policy_sha256},
        "verdict": {
            "approach": advised.approach,
            "training": advised.training,
            "leaning": advised.leaning,
            "confidence": advised.confidence,
            "technique": advised.technique,
            "scores": asdict(advised.scores),
            "gates": [asdict(gate) for gate in advised.gates],
        },
        "evidence": evidence(session, assessment),
        "dataset": _dataset_part(dataset) if dataset else None,
        "baseline": _baseline_part(session, baseline) if baseline else None,
        "training": _training_part(session, assessment.id, baseline),
    }


def _dataset_part(row: DatasetRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "version": row.version,
        "file": row.filename,
        "upload_sha256": row.blob_sha256,
        "test_upload_sha256": row.test_blob_sha256,
        "rows_sha256": row.rows_sha256,
        "split_sha256": row.split_sha256,
        "seed": row.seed,
        "rows": {"train": row.train_rows, "dev": row.dev_rows, "test": row.test_rows, "usable": row.usable_rows},
        "human_checked": row.human_checked,
        "frozen_at": row.frozen_at.isoformat() if row.frozen_at else None,
    }


def _baseline_part(session: Session, row: BaselineRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "dataset": row.dataset_id,
        "model": {"id": row.model_id, **baselines.model_of(session, row).part()},
        "metric": row.metric,
        "metric_options": row.metric_options,
        "target": row.target,
        "instructions": row.instructions,
        "max_tokens": row.max_tokens,
        "rows_asked": {"dev": row.dev_limit, "test": row.test_limit, "seed": row.seed},
        "test_looks": row.test_looks,
        "arms": [
            {"name": arm.name, "title": arm.title, "settings": arm.settings, "dev": arm.dev, "test": arm.test}
            for arm in row.arms
            if arm.family != "adapter"
        ],
        "answers_sha256": baseline_store.answers_sha256(session, row.id),
        # What came before on the same test rows. Only where something did: the canonical form stays `gate-v1`, and what
        # was approved before there was this part keeps its digest.
        **({"before": before} if (before := baselines.before(session, row)) else {}),
    }


def _training_part(session: Session, assessment_id: int, baseline: BaselineRow | None) -> dict[str, Any] | None:
    """What the trainer reads, and nothing else reaches it (`training/order.py`)."""
    recipe = store.recipe(session, assessment_id)
    if recipe is None or baseline is None:
        return None
    model = model_store.get(session, recipe.model_id)
    name, revision = models.public_name(model)
    return {
        "recipe": recipe.settings,
        "instructions": baselines.winning_instructions(baseline),
        "model": {"id": model.id, "name": name, "revision": revision, "files": model.files},
    }


def remarks(subject: Mapping[str, Any]) -> list[str]:
    """What a subject lacks for an approval of it to be worth anything, said before one is asked for and given."""
    said = []
    if subject["dataset"] is None:
        said.append("There is no data: nothing was checked, and the advice rests on answers alone.")
    if subject["baseline"] is None:
        said.append("Nothing was measured: nobody knows what prompting reaches.")
    elif not subject["evidence"].get("baseline", {}).get("best_arm"):
        said.append("No arm has a result on the test rows yet.")
    verdict_part = subject["verdict"]
    if verdict_part["training"] != "ready":
        still = sum(gate["state"] in ("fail", "unknown") for gate in verdict_part["gates"])
        criteria = f"{still} {'criterion is' if still == 1 else 'criteria are'} open"
        said.append(
            f"Training is locked{f': {criteria}' if still else ''}. An approval agrees with the verdict and unlocks "
            "nothing."
        )
    elif subject["training"] is None:
        said.append("There is no recipe: an approval of this starts no training.")
    return said


def models_named(subject: Mapping[str, Any]) -> str:
    """On which model the baselines ran, and which would be trained, as a sentence; empty before a measurement."""
    baseline, training = subject["baseline"], subject["training"]
    if baseline is None:
        return ""
    ran = baseline["model"]["name"]
    if training is None:
        return f"Baselines ran on {ran}; no base is chosen for training."
    same = subject["evidence"].get("baseline_on_base") is not False
    return f"Baselines ran on {ran}, training on {'the same' if same else training['model']['name']}."


# ---------------------------------------------------------------- review


def request_review(session: Session, assessment_id: int, me: UserRow, note: str = "") -> ReviewRow:
    """Freeze the subject and put it into the review queue. A living review of an older state is replaced.

    Raises:
        Conflict: there is nothing to review yet, or exactly this is under review or approved already.
    """
    assessment = assessment_store.opened(session, assessment_id)
    if not assessments.answers(assessment):
        raise Conflict("Answer the questionnaire first; there is nothing to review yet.")
    baseline = measurement(session, assessment_id)
    if baseline is not None and (wrong := list(baselines.misstated(session, baseline))):
        raise Conflict.because(wrong)
    made = subject.exact(build_subject(session, assessment))
    text = subject.canonical(made)
    digest = subject.digest_of_text(text)
    if (before := store.living(session, assessment_id)) is not None:
        if before.digest == digest and before.state in {"open", "approved"}:
            raise Conflict(
                f"Exactly this is {'waiting for a reviewer' if before.state == 'open' else 'approved'} already."
            )
        if before.digest == digest:
            raise Conflict("A reviewer asked for changes, and nothing has changed since. Change it, then ask again.")
        _close(session, before, "superseded", "a newer version was put up for review")
    review = ReviewRow(
        assessment_id=assessment_id,
        revision=assessment.revision,
        subject=text.decode(),
        digest=digest,
        state="open",
        note=note,
        requested_by=me.id,
        requested_at=utcnow(),
    )
    session.add(review)
    session.flush()
    audit.record(session, me, "review.request", "assessment", assessment_id, {"review": review.id, "digest": digest})
    return review


def subject_of(review: ReviewRow) -> dict[str, Any]:
    """The frozen subject. Refuses text that no longer has the digest it was stored with."""
    if subject.digest_of_text(review.subject.encode()) != review.digest:
        raise Conflict("The stored subject of this review was changed. Ask for review again and tell the operator.")
    parsed: dict[str, Any] = json.loads(review.subject)
    return parsed


def changed_since(session: Session, review: ReviewRow) -> list[tuple[str, Any, Any]]:
    """What is different now from what was put up for review: (path, then, now)."""
    assessment = assessment_store.get(session, review.assessment_id)
    return subject.differences(subject_of(review), build_subject(session, assessment))


def void_because(session: Session, review: ReviewRow) -> list[str]:
    """Why a review that looks alive is not: what changed since, and what is wrong with its approval by itself."""
    if review.state not in store.LIVING:
        return []
    said = []
    if changes := changed_since(session, review):
        said.append(f"Something changed since review was asked for: {', '.join(path for path, _, _ in changes[:5])}.")
    return said + fallen(session, review)


def outdated(session: Session, review: ReviewRow) -> bool:
    """Whether a living review is void, from what an assessment's page knows anyway: the revision, the evidence (prices
    of today are part of it), the verdict and the approval by itself. Answers are not hashed for it.
    """
    assessment = assessment_store.get(session, review.assessment_id)
    if review.state not in store.LIVING:
        return False
    frozen = subject_of(review)
    return (
        review.revision != assessment.revision
        or frozen["evidence"] != subject.exact(evidence(session, assessment))
        or frozen["verdict"]["training"] != judge(session, assessment).training
        or bool(fallen(session, review))
    )


def fallen(session: Session, review: ReviewRow) -> list[str]:
    """What is wrong with the approval of a review by itself: expired, unsealed, of somebody who may not any more.

    Quick: what may have changed since is not looked at.
    """
    said: list[str] = []
    if (
        review.state == "approved"
        and (decision := _approving(review))
        and (approval := _approval(session, review, decision))
    ):
        had, worked = contributors(session, review.assessment_id), workers(session, review.assessment_id)
        said += permission.against_approval(approval, had, worked, utcnow())
    return said


def _approving(review: ReviewRow | None) -> DecisionRow | None:
    """The living approval of a review, the latest of several."""
    decisions = reversed(review.decisions) if review else iter(())
    return next((one for one in decisions if one.kind == "approve" and one.voided_at is None), None)


def decide(session: Session, review_id: int, me: UserRow, kind: str, digest: object, comment: str = "") -> DecisionRow:
    """Approve, or ask for changes, of exactly the digest that was on the reviewer's screen.

    Raises:
        DigestMissing, Invalid: no digest, or not the form of one.
        Stale: the digest is not that of this review, or the assessment has changed since review was asked for.
        Forbidden: this person may not decide this.
        Conflict: this review is over, or this person has said the same already.
    """
    assessment_store.opened(session, store.assessment_of(session, review_id))
    review = store.get(session, review_id)
    if reasons := may_decide(session, review, me):
        raise Forbidden.because(reasons)
    _refuse_malformed(kind, digest, comment)
    if review.state not in store.LIVING:
        raise Conflict(f"This review is over: {review.state.replace('_', ' ')}.")
    if digest != review.digest:
        raise Stale(f"That digest is not the one under review ({review.digest}). Open the review again.")
    if kind == "approve" and (changes := changed_since(session, review)):
        named = ", ".join(path for path, _, _ in changes[:5])
        raise Stale(f"The assessment has changed since review was asked for ({named}). Its author has to ask again.")
    now = utcnow()
    if any(d.reviewer_id == me.id and d.kind == kind and d.voided_at is None for d in review.decisions):
        raise Conflict("You have already said so.")
    for earlier in review.decisions:  # one voice each: a new decision of the same person replaces the old one
        if earlier.reviewer_id == me.id and earlier.voided_at is None and earlier.kind != "comment":
            earlier.voided_at = now
    session.flush()  # the old voice goes before the new one comes: the database lets nobody have two
    made = DecisionRow(
        review_id=review.id,
        reviewer_id=me.id,
        kind=kind,
        digest=review.digest,
        comment=comment.strip(),
        at=now,
        expires_at=now + timedelta(days=_approval_days(session)) if kind == "approve" else None,
    )
    review.decisions.append(made)
    made.seal = _seal(session, made)
    session.flush()
    _move(session, review, _state(review))
    audit.record(session, me, f"review.{kind}", "assessment", review.assessment_id, _recorded(review, made))
    return made


def _recorded(review: ReviewRow, made: DecisionRow) -> dict[str, Any]:
    """What the record says of a decision; a launch looks for exactly this."""
    return {"review": review.id, "digest": review.digest, "decision": made.id}


def _seal(session: Session, made: DecisionRow) -> str:
    """The seal that a decision has to carry; empty where the installation's key is not at hand."""
    installation = installation_of(session)
    if installation is None:
        return ""
    return permission.decision_seal(
        installation.key,
        review_id=made.review_id,
        reviewer_id=made.reviewer_id,
        kind=made.kind,
        digest=made.digest,
        comment=made.comment,
        at=made.at,
        expires_at=made.expires_at,
    )


def seal_earlier(session: Session) -> int:
    """Seal what was decided before decisions were sealed, as far as the record knows it; returns how many.

    Once, in the upgrade that brings the seals: later on, a decision without one was not made through the app.
    """
    sealed = 0
    for made in store.unsealed(session):
        review = store.get(session, made.review_id)
        told = {"review": review.id, "digest": made.digest}
        act = f"review.{made.kind}"
        if audit.knows(session, made.reviewer_id, act, "assessment", review.assessment_id, told):
            made.seal = _seal(session, made)
            sealed += 1
    return sealed


def _refuse_malformed(kind: str, digest: object, comment: str) -> None:
    if digest is None or digest == "":
        raise DigestMissing("Say which digest you decide about; the review page shows it.")
    errors = []
    if not subject.well_formed(digest):
        errors.append(FieldError("#/digest", "A digest is 64 lower-case hexadecimal digits."))
    if kind not in {"approve", "request_changes"}:
        errors.append(FieldError("#/kind", "Decide with approve or request_changes."))
    if kind == "request_changes" and not comment.strip():
        errors.append(FieldError("#/comment", "Say what has to change."))
    if errors:
        raise Invalid("The decision cannot be taken like this.", errors)


def comment(session: Session, review_id: int, me: UserRow, text: str) -> DecisionRow:
    """Say something about a review without deciding it. Anybody signed in may."""
    assessment_store.changing(session, store.assessment_of(session, review_id))
    review = store.get(session, review_id)
    if not text.strip():
        raise Invalid("Write something first.", [FieldError("#/comment", "Write something first.")])
    made = DecisionRow(
        review_id=review.id, reviewer_id=me.id, kind="comment", digest=review.digest, comment=text.strip(), at=utcnow()
    )
    session.add(made)
    return made


def withdraw(session: Session, review_id: int, me: UserRow) -> ReviewRow:
    """Take a request back: whoever asked, or a contributor, may. An approval goes with it."""
    assessment_store.changing(session, store.assessment_of(session, review_id))
    review = store.get(session, review_id)
    if review.state not in store.LIVING:
        raise Conflict(f"This review is over: {review.state.replace('_', ' ')}.")
    if me.id != review.requested_by and me.id not in workers(session, review.assessment_id):
        raise Forbidden("Only somebody who worked on this assessment can withdraw its review.")
    _close(session, review, "withdrawn", f"withdrawn by {me.name}")
    audit.record(session, me, "review.withdraw", "assessment", review.assessment_id, {"review": review.id})
    return review


def hands(session: Session, assessment_id: int) -> dict[int, list[str]]:
    """Who had a hand in what is under review, and what it was: none of them judges it.

    Those who worked on the assessment itself; and those whose word the evidence rests on without being part of the
    assessment: who published the policy it is judged by, set a price that was counted with, or connected a model.
    """
    found: dict[int, list[str]] = {
        one.user_id: [one.what] for one in assessment_store.contributions(session, assessment_id)
    }
    assessment = assessment_store.get(session, assessment_id)
    for user_id, what in (
        *_publisher(session, assessment),
        *economics.price_setters(session, assessment),
        *_connectors(session, assessment_id),
    ):
        if what not in found.setdefault(user_id, []):
            found[user_id].append(what)
    return found


def _publisher(session: Session, assessment: AssessmentRow) -> Iterator[tuple[int, str]]:
    if (published := policies.published(session, assessment.policy_id)) is not None:
        yield published.published_by, f"published policy {published.number}, which it is judged by"


def _connectors(session: Session, assessment_id: int) -> Iterator[tuple[int, str]]:
    """Who set up the model that was measured, as it was then, and the one that would be trained."""
    if (baseline := measurement(session, assessment_id)) is not None:
        measured = baselines.model_of(session, baseline)
        if measured.set_by is not None:
            yield measured.set_by, f"set up the model {measured.name}"
    if (recipe := store.recipe(session, assessment_id)) is not None:
        model = model_store.get(session, recipe.model_id)
        if (by := models.set_up_by(model)) is not None:
            yield by, f"set up the model {model.name}"


def contributors(session: Session, assessment_id: int) -> frozenset[int]:
    """Ids of everybody who had a hand in it (`hands`)."""
    return frozenset(hands(session, assessment_id))


def workers(session: Session, assessment_id: int) -> frozenset[int]:
    """Ids of everybody who worked on the assessment itself: creator, editors, who uploaded, measured, set the recipe.

    An account that one of them made is not another person's for sure. An administrator who only connects models and
    keeps the accounts is none of them: else nobody could ever approve where there is one administrator.
    """
    return frozenset(assessment_store.contributor_ids(session, assessment_id))


OPENED = ("user.add", "user.reset_password")
RAISED = ("user.add", "user.change_role")
SWITCHED = ("user.disable", "user.enable")


def keepers(session: Session, user_id: int) -> dict[int, list[str]]:
    """Who could use an account besides its owner, from the record: who made it or gave it its last password, who gave
    it its role, who switched it off or on last. What was done before the operator gave it a password on the server
    counts no more."""
    entries = audit_store.acts(session, {*OPENED, *RAISED, *SWITCHED}, "user", user_id)
    for number, entry in enumerate(entries):
        if entry.act == "user.reset_password" and entry.actor_id is None:
            entries = entries[number:]
    found: dict[int, list[str]] = {}
    for acts in (OPENED, RAISED, SWITCHED):
        last = next((entry for entry in reversed(entries) if entry.act in acts), None)
        if last is not None and last.actor_id not in (None, user_id):
            said = found.setdefault(int(last.actor_id), [])
            if DONE[last.act] not in said:
                said.append(DONE[last.act])
    return found


DONE = {
    "user.add": "made the account",
    "user.reset_password": "gave it a new password",
    "user.change_role": "gave it its role",
    "user.disable": "switched it off",
    "user.enable": "switched it on",
}


def may_decide(session: Session, review: ReviewRow, me: UserRow) -> list[str]:
    """Why this person may not decide this review; an empty list means that they may."""
    had = contributors(session, review.assessment_id)
    return list(permission.against_deciding(person(session, me), had, workers(session, review.assessment_id)))


def person(session: Session, user: UserRow) -> Person:
    kept_by = frozenset(keepers(session, user.id))
    return Person(id=user.id, rank=Role(user.role).rank, active=user.active, kept_by=kept_by)


def _state(review: ReviewRow) -> str:
    """A request for changes by anyone blocks, whatever others approved, until that person takes it back."""
    counted = {d.kind for d in review.decisions if d.voided_at is None}
    if "request_changes" in counted:
        return "changes_requested"
    return "approved" if "approve" in counted else "open"


def _close(session: Session, review: ReviewRow, state: str, because: str) -> None:
    _move(session, review, state, closed_at=utcnow(), closed_because=because[:200])


def _move(session: Session, review: ReviewRow, state: str, **more: object) -> None:
    """Every act holds the assessment, so nobody can have come between; a state that is another one all the same is a
    sign that something wrote past us, and nothing is built on it.

    Raises:
        Conflict: the review has another state than the one that was looked at.
    """
    if not store.move(session, review, state, **more):
        raise Conflict("Somebody else acted on this review at the same moment. Look at it again.")


# ---------------------------------------------------------------- launching


@dataclass(frozen=True, slots=True)
class Permit:
    """Permission to launch, worked out in the transaction that uses it."""

    review: ReviewRow
    decision: DecisionRow
    digest: str
    subject: Mapping[str, Any]


def reasons_against(session: Session, assessment_id: int) -> list[str]:
    """Everything that stands between this assessment and training; an empty list means that it may be launched."""
    return _weigh(session, assessment_id)[0]


def permit(session: Session, assessment_id: int) -> Permit:
    """Permission for exactly one launch. Call `use` in the same transaction.

    Raises:
        GateClosed: with every reason at once.
    """
    reasons, review, decision, text = _weigh(session, assessment_id)
    if reasons or review is None or decision is None:
        raise GateClosed(reasons or ["Nobody has approved this yet. Ask for review."])
    if damaged := list(_damaged(session, assessment_id)):
        raise GateClosed(damaged)
    return Permit(review, decision, review.digest, json.loads(text))


def _damaged(session: Session, assessment_id: int) -> Iterator[str]:
    """What is not what it says it is, looked at byte by byte: too slow for a page, and an approval is not used up for
    a run that the trainer would refuse."""
    installation, dataset = installation_of(session), dataset_store.current(session, assessment_id)
    if installation is None or dataset is None or not dataset.rows_sha256:
        yield "The stored rows cannot be looked at."
    elif not Blobs(installation.settings.blobs_dir).intact(dataset.rows_sha256):
        yield "The stored rows are not those that were approved: a file was changed or replaced. Tell the operator."
    if (baseline := measurement(session, assessment_id)) is not None:
        yield from baselines.misstated(session, baseline)


def use(session: Session, granted: Permit) -> None:
    """Use the approval up: one approval, one launch."""
    _close(session, granted.review, "consumed", "a training job was launched")


def _weigh(session: Session, assessment_id: int) -> tuple[list[str], ReviewRow | None, DecisionRow | None, str]:
    assessment = assessment_store.get(session, assessment_id)
    advised = judge(session, assessment)
    review = store.latest(session, assessment_id)
    decision = _approving(review)
    now_text = subject.canonical(build_subject(session, assessment))
    blockers = (
        []
        if advised.training == "ready"
        else [f"{gate.id} {gate.title}: {gate.measured} Needed: {gate.needed}" for gate in advised.blockers]
    )
    if advised.training != "ready" and not blockers:
        blockers = [f"The advice is {advised.approach.replace('_', ' ')}; training is not what this case needs."]
    if store.recipe(session, assessment_id) is None:
        blockers.append("There is no recipe yet. Save one.")
    reasons = list(
        permission.against_launching(
            digest_now=subject.digest_of_text(now_text),
            digest_reviewed=subject.digest_of_text(review.subject.encode()) if review else None,
            review_state=review.state if review else None,
            approval=_approval(session, review, decision) if review and decision else None,
            contributors=contributors(session, assessment_id),
            workers=workers(session, assessment_id),
            put_away=list(_put_away(session, assessment)),
            blockers=blockers,
            now=utcnow(),
        )
    )
    return reasons, review, decision, now_text.decode()


def _approval(session: Session, review: ReviewRow, decision: DecisionRow) -> Approval | None:
    """The facts about an approval, from its row, its seal, and the record."""
    approver = session.scalar(select(UserRow).where(UserRow.id == decision.reviewer_id))
    if approver is None:
        return None
    wanted = _seal(session, decision)
    told = {"review": review.id, "digest": decision.digest}  # what the record of every version says
    return Approval(
        digest=decision.digest,
        approver=person(session, approver),
        expires_at=decision.expires_at,
        voided=decision.voided_at is not None,
        sealed=bool(wanted) and hmac.compare_digest(decision.seal, wanted),
        recorded=audit.knows(session, decision.reviewer_id, "review.approve", "assessment", review.assessment_id, told),
    )


def _put_away(session: Session, assessment: AssessmentRow) -> Iterator[str]:
    recipe = store.recipe(session, assessment.id)
    model = model_store.get(session, recipe.model_id) if recipe else None
    retired = model.name if model is not None and model.retired_at is not None else ""
    yield from permission.put_away(archived=assessment.archived_at is not None, retired=retired)


def against_resuming(session: Session, review_id: int, decision_id: int) -> list[str]:
    """What stands against going on with a run: to press the button is a start like the first, so the approval has to be
    in time and everything in use."""
    review = store.get(session, review_id)
    assessment = assessment_store.get(session, review.assessment_id)
    approval = _approval(session, review, store.decision(session, decision_id))
    had, worked = contributors(session, assessment.id), workers(session, assessment.id)
    against = permission.against_approval(approval, had, worked, utcnow()) if approval else ["The approver is gone."]
    return [*_put_away(session, assessment), *against]


def recheck(session: Session, review_id: int, decision_id: int, digest: str, *, started: bool) -> dict[str, Any]:
    """The last look before a trainer starts, from the stored record; returns the subject.

    started: whether an optimizer step was run already. Before the first one, the assessment must still be what was
    approved, and the approval in time. Afterwards only what the job itself uses is compared (by the trainer, byte for
    byte): an edit made while a job runs does not stop it, it only means that the next launch needs a new approval.

    Raises:
        GateClosed: the approval does not allow this any more.
    """
    review = store.get(session, review_id)
    decision = store.decision(session, decision_id)
    assessment = assessment_store.get(session, review.assessment_id)
    reasons = list(_put_away(session, assessment))
    if not (review.digest == digest == decision.digest == subject.digest_of_text(review.subject.encode())):
        reasons.append("The stored subject is not the one that was approved.")
    if decision.kind != "approve" or decision.voided_at is not None or decision.review_id != review.id:
        reasons.append("The approval was taken back.")
    if review.state != "consumed":
        reasons.append("The approval was not used for this job.")
    had, worked = contributors(session, assessment.id), workers(session, assessment.id)
    approval = _approval(session, review, decision)
    if approval is None:
        reasons.append("The approver is not there any more.")
    else:
        reasons += permission.against_approval(approval, had, worked, None if started else utcnow())
    if not started and not reasons and changed_since(session, review):
        reasons.append("Something changed between the launch and the start. Ask for review again.")
    if reasons:
        raise GateClosed(reasons)
    return subject_of(review)


def _approval_days(session: Session) -> int:
    days: int = session.info.get("approval_days", 14)
    return days
