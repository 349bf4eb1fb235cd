"""Answers as programs send them: the types of a case, stricter, so that the description of the API names every code."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from app.advice import schema
from app.advice.questions import ASKED
from app.evaluation.metrics import METRICS
from app.strict import TypeForm, annotation, choices


def _field(key: str, kind: TypeForm) -> TypeForm:
    """How programs send an answer: as the case file has it and stricter; `unknown` and null as well."""
    literal: TypeForm = Literal
    if key == "owner":
        return _line | None
    if key == "goals":
        return Annotated[list[literal[schema.GOALS]], Field(max_length=2 * len(schema.GOALS))] | _Unknown | None
    if codes := choices(kind):
        return literal[(*codes, *(("hourly",) if key == "fact_change" else ()), schema.UNKNOWN)] | None
    if (least := annotation(kind, schema.Least)) is not None:
        return Annotated[int, Field(ge=least.number, le=schema.LARGEST_COUNT)] | _Unknown | None
    if key == "target":
        return Annotated[float, Field(ge=0, le=1)] | _Unknown | None
    return literal[(*METRICS, schema.UNKNOWN)] | None


_Unknown = Literal["unknown"]
_line = Annotated[str, Field(max_length=schema.LONGEST_TEXT, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _described(key: str) -> Any:
    """The field's default, with the label that its question has on pages."""
    question = ASKED.get(key)
    if question is None:
        return None
    unit = f" ({question.unit})" if question.unit else ""
    return Field(None, description=f"{question.label}{unit}")


_FIELDS: dict[str, Any] = {key: (_field(key, kind), _described(key)) for key, kind in schema.ANSWER_TYPES.items()}
Answers: type[BaseModel] = create_model(
    "Answers",
    __doc__="What people declared. `unknown`, null and a missing key are the same, but for `owner`: null is nobody.",
    __config__=ConfigDict(extra="forbid", strict=True),
    **_FIELDS,
)
CaseAnswers: type[BaseModel] = create_model(
    "CaseAnswers",
    __doc__="What people declared, in a case file: as in an assessment, but any metric can be named.",
    __config__=ConfigDict(extra="forbid", strict=True),
    **(_FIELDS | {"metric": (_line | None, _described("metric"))}),
)
