"""How an arm answers, by the names of its settings, as it is stored and approved; each only where it applies.

In an approved subject a number that is not whole stands as a text.
"""

from collections.abc import Collection, Mapping
from typing import Literal, NotRequired, TypedDict, cast

from app.inference.constraints import Kind
from app.inference.local_protocol import Dtype
from app.json_types import JsonObject


class ModelPart(TypedDict):
    """What a model was, as a reviewer approves it; see `measured_model.MeasuredModel`."""

    kind: str
    name: str
    reference: str
    base_url: str
    files: Mapping[str, str]
    server: NotRequired[JsonObject]
    bits: NotRequired[int]


class ModelKept(ModelPart):
    """The same as a measurement keeps it: with who had set it up."""

    set_by: int | None


class Searched(TypedDict, total=False):
    """Which passages a question is given. way: lexical, embedding, hybrid, gold, or all. k: how many. index, sha256:
    where they are found."""

    way: Literal["lexical", "embedding", "hybrid", "gold", "all"]
    k: int
    index: int
    sha256: str | None


class ArmPassages(Searched, total=False):
    """The passages of an arm. documents: of the way `all`, with the hash over them. check, marks_up_to: what `gold`
    goes by; rows: dev rows whose gold passage is known, known_by: how many by which sign."""

    documents: list[int]
    check: int
    marks_up_to: int
    rows: int
    known_by: Mapping[str, int]


class HeldTo(TypedDict, total=False):
    """What answers are held to (`constraints.Constraint`). version: of the assessment's constraint."""

    kind: Kind
    text: str
    sha256: str
    version: int


class Embedder(TypedDict, total=False):
    """What finds the nearest examples by meaning. sha256: of its weights, once it was used."""

    choice: str
    name: str
    sha256: str


class Labels(TypedDict):
    """The labels that are scored in place of an answer."""

    number: int
    sha256: str


class Optimised(TypedDict, total=False):
    """What is kept of the run that wrote a prompt. drafts: prompts that were written; scored: of these, on so many dev
    rows; first, best, gain: scores there, 0 to 1; luck: what the best of so many equal ones gains."""

    run: int
    critic: ModelPart
    budget: JsonObject
    ending: str
    drafts: int
    scored: int
    rows: int
    first: float | str
    best: float | str
    gain: float | str
    apart: float
    luck: float | str


class ArmSettings(TypedDict, total=False):
    """shots: random, nearest or many examples, with k, seed and `by` (tfidf, embedding); window: tokens that many of
    them have to fit into, with question and answer. instructions: that differ from the run's, and their version.
    scoring: labels. learns: logistic. label: the commonest one, given to every row. model_id, model_as: another model
    than the run's, with the arm whose prompt it follows, or followed. dtype: of a local model. training, seed: whose
    adapter answers. rules, not_worse_margin: by which the measurement is read (`arms.RULES`, `arms.MARGIN`)."""

    shots: str
    k: int
    seed: int
    by: str
    embedder: Embedder
    window: int | None
    instructions: str
    version: int
    passages: ArmPassages
    constraint: HeldTo
    scoring: str
    labels: Labels
    learns: str
    label: str
    model_id: int
    model_as: ModelKept
    follows: str
    followed: str
    dtype: Dtype
    training: int
    optimiser: Optimised
    rules: int
    not_worse_margin: float


def only(settings: ArmSettings, names: Collection[str]) -> ArmSettings:
    """Some of an arm's settings, in the order of these names."""
    every: JsonObject = settings
    return cast("ArmSettings", {name: every[name] for name in names if name in every})


def labels_of(settings: ArmSettings) -> str:
    """The hash of the labels that are scored; empty where an answer is written."""
    return settings["labels"]["sha256"] if settings.get("labels") else ""
