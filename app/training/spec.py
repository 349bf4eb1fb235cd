"""What exactly is trained: read from the approved subject, and from nothing else.

The trainer gets paths and a token beside the subject, but every setting, every hash and the prompt come from the text
whose digest was approved. So there is no second place where a value could be slipped in.

The subject's part for training has this shape (floats as text, see `gate/subject.py`):

    "dataset":  {"rows_sha256": "...", "split_sha256": "...", "reasoning": true, ...}
    "training": {"recipe": {...}, "instructions": "...",
                 "model": {"name": "org/model", "revision": "...", "files": {"config.json": "sha256", ...}, "bits": 4},
                 "passages": {"way": "hybrid", "k": 5, "index": 3, "sha256": "...", "rows_sha256": "..."},
                 "scored": {"metric": "exact_match", "options": {}, "max_tokens": 256}}

`bits` is there where the base model is held in 4 bits (QLoRA). `legs`, in `training` too, names the trainings where
they are several (`recipes.legs`). `scored` is there where dev rows are answered and scored to choose the checkpoint.
`passages` is there where every row carries the passages that an index finds for it: its rows then take the place of the
canonical ones.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NotRequired, TypedDict, cast

from app.baselines.prompts import Passage
from app.chat import Message, messages_from_json
from app.evaluation.metrics import Options
from app.gate.subject import exact
from app.inference.local_protocol import HeldTo
from app.json_types import JsonObject
from app.recipes import dev_answers
from app.recipes import parts as recipe_parts
from app.recipes.legs import LegsStated
from app.recipes.passages_carried import CarriedPassages
from app.recipes.replay import ReplayStated
from app.recipes.settings import RecipeSettings
from app.training import recipe as recipes
from app.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Scored:
    """How dev rows are answered and scored. max_tokens: of an answer. constraint: what answers are held to, or None."""

    metric: str
    options: Options
    max_tokens: int
    constraint: HeldTo | None = None


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """The approved facts that a training run needs.

    rows_sha256: of the file with the rows (one JSON object a line, with its split): the canonical ones, or these with
    their passages.
    instructions: the winning prompt's instructions, rendered before every row.
    files: of the base model, name -> SHA-256. thinks: whether rows have reasoning before their answers.
    scored: where the deciding metric chooses the checkpoint; else None. bits: 4 where its layers are held in 4 bits.
    """

    recipe: Recipe
    instructions: str
    rows_sha256: str
    split_sha256: str
    model: str
    revision: str
    files: Mapping[str, str]
    thinks: bool = False
    scored: Scored | None = None
    bits: int | None = None


class BaseNamed(TypedDict):
    """The base model as a subject has it. files: SHA-256 by name."""

    name: str
    revision: str
    files: Mapping[str, str]
    bits: NotRequired[int]


class TrainingPart(TypedDict):
    """The part of a subject that is trained from; see the module."""

    recipe: RecipeSettings
    instructions: str
    model: BaseNamed
    passages: NotRequired[CarriedPassages]
    scored: NotRequired[dev_answers.Scored]
    legs: NotRequired[LegsStated]
    replay: NotRequired[ReplayStated]


class DatasetPart(TypedDict):
    """What is read of the data's part of a subject."""

    rows_sha256: str
    split_sha256: str
    reasoning: NotRequired[bool | None]


class _Read(TypedDict):
    training: TrainingPart
    dataset: DatasetPart


def from_subject(subject: JsonObject) -> TrainingSpec:
    """Read what to train.

    Raises:
        ValueError: the subject is not one for training.
    """
    try:
        read = cast("_Read", subject)  # what is missing, or is something else, ends below
        part, data = read["training"], read["dataset"]
        stated = recipe_parts.stated(part["recipe"])
        if any(exact(part.get(name)) != exact(value) for name, value in stated.items()):
            raise ValueError("the subject does not say which trainings and general rows its config asks for")
        if against := dev_answers.against(part["recipe"], part.get("scored")):
            raise ValueError(against)
        return TrainingSpec(
            recipe=recipes.parse(part["recipe"]),
            instructions=part["instructions"],
            rows_sha256=passages["rows_sha256"] if (passages := part.get("passages")) else data["rows_sha256"],
            split_sha256=data["split_sha256"],
            model=part["model"]["name"],
            revision=part["model"]["revision"],
            files=part["model"]["files"],
            thinks=bool(data.get("reasoning")),
            scored=Scored(**scored) if (scored := part.get("scored")) else None,
            bits=_bits(part["model"].get("bits")),
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"the subject lacks {error}") from error


def part_of(subject: JsonObject) -> TrainingPart:
    """The part of an approved subject that is trained from; `from_subject` reads it."""
    return cast("_Read", subject)["training"]


def _bits(stored: object) -> int | None:
    """Raises: ValueError: a number of bits that nothing here can hold a model in."""
    if stored is None or stored == 4:
        return None if stored is None else 4
    raise ValueError(f"the base model is asked for in {stored} bits; there are 4, or none given")


def training_part(
    recipe: Recipe,
    instructions: str,
    model: str,
    revision: str,
    files: Mapping[str, str],
    *,
    passages: CarriedPassages | None = None,
    scored: dev_answers.Scored | None = None,
    bits: int | None = None,
) -> TrainingPart:
    """The `training` part of a subject; `from_subject` reads it back."""
    named: BaseNamed = {"name": model, "revision": revision, "files": dict(files)}
    if bits:
        named["bits"] = bits
    settings = recipes.to_json(recipe)
    part: TrainingPart = {"recipe": settings, "instructions": instructions, "model": named}
    if passages:
        part["passages"] = passages
    if scored:
        part["scored"] = scored
    return {**part, **recipe_parts.stated(settings)}


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One row of the canonical file. line: where it stood in the upload. passages: that stand before its question.
    reasoning: that stands before its answer."""

    line: int
    split: str
    messages: tuple[Message, ...]
    target: str
    passages: tuple[Passage, ...] = ()
    reasoning: str = ""


def rows(lines: Iterable[bytes]) -> Iterator[SourceRow]:
    """Read canonical rows."""
    for line in lines:
        row = json.loads(line)
        messages = messages_from_json(row["messages"])
        passages = tuple(Passage(*passage) for passage in row.get("passages", ()))
        yield SourceRow(int(row["line"]), row["split"], messages, row["target"], passages, row.get("reasoning", ""))
