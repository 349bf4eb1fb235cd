"""Which model was measured: what it was when the measurement began, and whether it still may be asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.assessments import store as assessment_store
from app.baselines.arm_settings import ModelKept, ModelPart
from app.baselines.deciding_judge import DecidingJudge
from app.baselines.tables import BaselineRow
from app.inference import service as models
from app.inference import store as model_store
from app.inference import trials
from app.inference.findings import PLAIN, Manner
from app.inference.tables import ModelRow
from app.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class MeasuredModel:
    """What a model was when a measurement began: what its row says later is of no use to who reads the result.

    set_by: who had made the connection what it was; it stays here, since it is no part of what answered. server: how a
    server is asked and what was known of it, as a meeting had found out (`findings.Manner`); None where nobody met it.
    bits: 4 where its layers were held in 4 bits, which answers otherwise than the same files do.
    """

    kind: str
    name: str
    reference: str
    base_url: str
    files: Mapping[str, str]
    set_by: int | None = None
    server: JsonObject | None = None
    bits: int | None = None

    @classmethod
    def of(cls, row: ModelRow) -> "MeasuredModel":
        known = trials.manner(row) if row.kind == "endpoint" else None
        server = None if known is None else known.to_json()
        by = models.set_up_by(row)
        return cls(row.kind, row.name, row.reference, row.base_url, dict(row.files), by, server, row.bits)

    @property
    def manner(self) -> Manner:
        """How it is asked, whatever is found out later."""
        return PLAIN if self.server is None else Manner.from_json(self.server)

    def to_json(self) -> ModelKept:
        """As a measurement keeps it; what there is nothing to say of is not there."""
        kept: ModelKept = {
            "kind": self.kind,
            "name": self.name,
            "reference": self.reference,
            "base_url": self.base_url,
            "files": dict(self.files),
            "set_by": self.set_by,
        }
        if self.server is not None:
            kept["server"] = self.server
        if self.bits is not None:
            kept["bits"] = self.bits
        return kept

    def part(self) -> ModelPart:
        """What a reviewer approves: a server and a name, or files by their hashes. Never its key."""
        return without_setter(self.to_json())

    def answers_as(self, row: ModelRow) -> bool:
        """Whether the connection, as it is now, is still the one that was measured. What people call it may change."""
        connection = (row.kind, row.reference, row.base_url, row.bits)
        return (self.kind, self.reference, self.base_url, self.bits) == connection and (
            not self.files or dict(self.files) == row.files
        )


def without_setter(kept: ModelKept) -> ModelPart:
    """What is kept of a model as a reviewer approves it."""
    return cast("ModelPart", {name: value for name, value in kept.items() if name != "set_by"})


def answers_as(kept: ModelPart, row: ModelRow) -> bool:
    """The same of what was kept without who set it up (`MeasuredModel.part`)."""
    return MeasuredModel(**kept).answers_as(row)


def model_of(session: Session, baseline: BaselineRow) -> MeasuredModel:
    """What the model of a measurement was."""
    if baseline.model_as is None:
        return MeasuredModel.of(model_store.get(session, baseline.model_id))
    return MeasuredModel(**baseline.model_as)


def against_model(session: Session, baseline: BaselineRow) -> str:
    """Why this measurement cannot go on with its model; empty when it can."""
    row = model_store.get(session, baseline.model_id)
    if against := own_servers.against_sending(assessment_store.get(session, baseline.assessment_id), row):
        return against
    if row.retired_at is not None:
        return f"{row.name} is retired. Start a new measurement with another model."
    if not model_of(session, baseline).answers_as(row):
        return (
            f"The connection of {row.name} was changed since this measurement began: going on would mix two models. "
            "Start a new measurement."
        )
    return ""


def against_judge(session: Session, baseline: BaselineRow, decides: DecidingJudge) -> str:
    """Why the judge of a measurement may not be asked any more; empty where it may."""
    model = model_store.get(session, decides.model_id)
    if against := own_servers.against_sending(assessment_store.get(session, baseline.assessment_id), model):
        return against
    if model.retired_at is not None:
        return f"The LLM judge {decides.name} is retired. Measure again with another LLM judge or metric."
    if not answers_as(decides.model, model):
        return f"The connection of the LLM judge {decides.name} was changed since it scored. Measure again."
    return ""


def same_weights(measured: MeasuredModel, base: ModelRow) -> bool:
    """Whether what was measured is what would be trained: file by file, or by its place before it was prepared. What
    answered on a server is never the files of this machine."""
    if measured.kind == "endpoint" or base.kind == "endpoint" or measured.bits != base.bits:
        return False
    return dict(measured.files) == base.files if measured.files and base.files else measured.answers_as(base)
