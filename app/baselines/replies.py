"""Answers of earlier runs that are taken again: to the same prompt, of the same model, asked with the same settings.

The store of answers is the store of replies: nothing is kept twice, and a reply is there as long as the answer that it
came with. It is found by a hash of all that was asked, within one assessment only: who may read what is taken could
read it before. Answers of trained adapters and scored labels are not taken again, and a request that wants a fresh
answer takes none.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson
from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from app.baselines import arms, other_models, prompts
from app.baselines.answer_details import ReplyKept
from app.baselines.measured_model import MeasuredModel
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, UnscoredRow
from app.inference.generator import Answer, Finish, Request
from app.json_types import JsonObject

PARAMETERS = {"temperature": 0}  # of every call, beside what a request says itself
CHUNK = 500  # keys that one query looks for


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said earlier. answer_id: the answer that it came with."""

    answer: Answer
    answer_id: int


def identity(arm: ArmRow, model: MeasuredModel, model_id: int) -> JsonObject | None:
    """What answers an arm's requests, as far as answers depend on it; None where nothing of it is taken again."""
    if arm.family in (*arms.FREE, "adapter"):
        return None
    if model.kind == "endpoint":
        server: JsonObject = {"model": model_id, "base_url": model.base_url, "name": model.reference}
        return {**server, "manner": manner} if (manner := model.manner.differs()) else server
    return {"files": dict(sorted(model.files.items())), "dtype": arm.settings.get("dtype")} if model.files else None


def of_arm(baseline: BaselineRow, arm: ArmRow) -> JsonObject | None:
    """The same, of what the measurement began with."""
    if other_models.own(arm):
        return identity(arm, MeasuredModel(**baseline.model_as), baseline.model_id) if baseline.model_as else None
    return identity(arm, other_models.model_of(arm), arm.settings["model_id"])


def key(asked_of: JsonObject | None, request: Request) -> str | None:
    """The hash by which an answer to this request is taken again; None where it is not."""
    if asked_of is None or request.choices:
        return None
    asked = {
        "of": asked_of,
        "messages": prompts.sha256(request.messages),
        "max_tokens": request.max_tokens,
        "constraint": request.constraint.sha256 if request.constraint else None,
        **({"thinks": True} if request.thinks else {}),
        **PARAMETERS,
    }
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()


def known(
    session: Session, assessment_id: int, keys: Mapping[str, str | None], requests: Sequence[Request]
) -> dict[str, Reply]:
    """Answers of this assessment to these requests, by the id of the request. keys: of the requests, by their id."""
    wanted = {keys[request.id]: request for request in requests if not request.fresh}
    hashes = sorted(name for name in wanted if name is not None)
    there: dict[str, AnswerRow] = {}
    for start in range(0, len(hashes), CHUNK):
        for row in _rows(session, assessment_id, hashes[start : start + CHUNK]):
            there.setdefault(str(row.asked_sha256), row)
    return {
        request.id: Reply(_restored(request.id, earlier), earlier.taken_from or earlier.id)
        for request in requests
        if not request.fresh and (earlier := there.get(keys[request.id] or "")) is not None
    }


def _rows(session: Session, assessment_id: int, hashes: Sequence[str]) -> Iterator[AnswerRow]:
    query = (
        select(AnswerRow)
        .join(ArmRow, ArmRow.id == AnswerRow.arm_id)
        .join(BaselineRow, BaselineRow.id == ArmRow.baseline_id)
        .where(BaselineRow.assessment_id == assessment_id, AnswerRow.status == "ok")
        .where(AnswerRow.asked_sha256.in_(hashes))
        .order_by(AnswerRow.id)
    )
    yield from session.scalars(query)


def beside(answer: Answer, kept_raw: str | None, kept_output: str) -> ReplyKept | None:
    """What has to be kept beside an answer so that it can be taken again as it came; None where its row has it all.
    kept_raw, kept_output: of the row."""
    plain = answer.raw is None and not answer.thinking
    if plain and answer.text == (kept_output if kept_raw is None else kept_raw):
        return None
    return {"text": answer.text, "raw": answer.raw, "thinking": answer.thinking}


def unscored(session: Session, arm_id: int, split: str, requests: Mapping[str, Request]) -> dict[str, Answer]:
    """Answers of this arm that came and could not be scored, by the row's id as text, as long as they are to the same
    prompt. They were paid for, and are scored instead of asked for again."""
    query = select(UnscoredRow).where(UnscoredRow.arm_id == arm_id, UnscoredRow.split == split).order_by(UnscoredRow.id)
    there: dict[str, Answer] = {}
    for row in session.scalars(query):
        request = requests.get(str(row.example_id))
        if request is None or request.choices:  # what makes a choice likely is not kept
            continue
        if prompts.sha256(request.messages) == row.prompt_sha256:
            finish = cast("Finish", row.finish)
            tokens = row.prompt_tokens, row.completion_tokens
            there[request.id] = Answer(
                request.id, row.text, finish, *tokens, row.seconds, thinking=row.thinking, raw=row.raw
            )
    return there


def keep_unscored(session: Session, arm_ids: Sequence[int]) -> None:
    """Keep the answers among the errors of these arms, before the errors are forgotten."""
    scored_since = exists().where(
        AnswerRow.arm_id == UnscoredRow.arm_id,
        AnswerRow.split == UnscoredRow.split,
        AnswerRow.example_id == UnscoredRow.example_id,
    )
    session.execute(delete(UnscoredRow).where(UnscoredRow.arm_id.in_(arm_ids), scored_since))
    errors = select(AnswerRow).where(AnswerRow.arm_id.in_(arm_ids), AnswerRow.status == "error")
    for row in session.scalars(errors.where(AnswerRow.details.is_not(None))):
        if not (row.details or {}).get("unscored"):
            continue
        answer = _restored(str(row.example_id), row)
        session.add(
            UnscoredRow(
                arm_id=row.arm_id,
                split=row.split,
                example_id=row.example_id,
                prompt_sha256=row.prompt_sha256,
                text=answer.text,
                raw=answer.raw,
                thinking=answer.thinking,
                finish=answer.finish,
                prompt_tokens=row.prompt_tokens,
                completion_tokens=row.completion_tokens,
                seconds=row.seconds,
            )
        )
    session.flush()


def _restored(name: str, row: AnswerRow) -> Answer:
    """The answer as it came; its seconds are nobody's today."""
    kept: ReplyKept = row.reply or {"text": row.output if row.raw is None else row.raw, "raw": None, "thinking": ""}
    finish = cast("Finish", row.finish)
    tokens = row.prompt_tokens, row.completion_tokens
    return Answer(name, kept["text"], finish, *tokens, 0.0, thinking=kept["thinking"], raw=kept["raw"])
