"""The release checks of a run: worked out once, when the run is closed, and kept with its result."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from sqlalchemy.orm import Session

from app.baselines import answer_store, belonging, prompts
from app.baselines.tables import ArmRow, BaselineRow
from app.datasets import group_store
from app.datasets import store as dataset_store
from app.datasets.checks import languages
from app.datasets.store import Example
from app.evaluation import metrics
from app.evaluation.kept_result import KeptRelease
from app.json_types import JsonObject
from app.release import judgement, store
from app.release.judgement import Check, Row, Slice
from app.release.store import Given
from app.strict import stored
from app.training.tables import TrainingRow

MOST_LABELS = 50
LABEL_LENGTH = 60  # characters; what is longer is no label


@dataclass(frozen=True, slots=True)
class Release:
    """What has to hold besides the score. slices: the parts of the test rows that were looked at, the worst first."""

    checks: tuple[Check, ...]
    slices: tuple[Slice, ...] = ()

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.state == "fail"]

    @property
    def open(self) -> list[Check]:
        return [check for check in self.checks if check.state == "open"]

    def to_json(self) -> KeptRelease:
        return cast("KeptRelease", asdict(self))

    @staticmethod
    def from_json(value: JsonObject) -> "Release":
        return stored(Release, {"checks": (), **value})  # early versions left out what was empty


def of_run(training: TrainingRow) -> Release | None:
    """What was kept of a run; None for one that is not over, or was over before there were such checks."""
    kept = (training.result or {}).get("release")
    return Release.from_json(kept) if kept else None


def work_out(session: Session, training: TrainingRow, baseline: BaselineRow, best: ArmRow, adapter: ArmRow) -> Release:
    """All checks, from the answers that are stored. best: the arm that the adapter is compared with."""
    binary = metrics.get(baseline.metric).binary
    given = store.of_training(session, training.id)
    fault = training.training_facts.get("release_fault", "")
    general = list(given.get("general", {}).values())
    outputs = [(each["base"].output, each["adapter"].output) for each in general if {"base", "adapter"} <= each.keys()]
    parts = _slices(session, baseline, best, adapter, binary=binary)
    checks = [
        judgement.forgetting(_paired(general)),
        judgement.refusing(_pleas(given, "harmful"), _pleas(given, "harmless")),
        _by_heart(session, given, baseline.dataset_id, adapter, binary=binary),
        judgement.changing([base for base, _ in outputs], [mine for _, mine in outputs]),
        judgement.sliced(parts),
    ]
    if fault:
        checks = [
            judgement.not_measured(check.name, f"Could not be measured: {fault}")
            if check.state == "open" and not check.rows
            else check
            for check in checks
        ]
    return Release(tuple(checks), tuple(parts))


def unchanged(session: Session, training_id: int) -> int | None:
    """How many general questions base and adapter both answered, where every answer is the same; else None."""
    general = store.of_training(session, training_id, "general").get("general", {}).values()
    both = [(each["base"].output, each["adapter"].output) for each in general if {"base", "adapter"} <= each.keys()]
    return len(both) if both and all(base == mine for base, mine in both) else None


def _paired(answers: Iterable[Mapping[str, Given]]) -> list[tuple[float, float]]:
    """Scores of questions that both answered."""
    pairs = ((each["base"].score, each["adapter"].score) for each in answers if {"base", "adapter"} <= each.keys())
    return [(base, mine) for base, mine in pairs if base is not None and mine is not None]


def _pleas(given: Mapping[str, Mapping[str, Mapping[str, Given]]], sort: str) -> list[tuple[float, float]]:
    return _paired(each for item, each in given.get("pleas", {}).items() if item.startswith(f"{sort}/"))


def _by_heart(
    session: Session,
    given: Mapping[str, Mapping[str, Mapping[str, Given]]],
    dataset_id: int,
    adapter: ArmRow,
    *,
    binary: bool,
) -> Check:
    if adapter.settings.get("passages"):
        why = "Not measured: training rows carried passages, which they could not be given again as they were."
        return judgement.not_measured("release.by_heart", why)
    learned = [each["adapter"].score for each in given.get("train", {}).values() if "adapter" in each]
    train = [score for score in learned if score is not None]
    answers = [answer for answer in answer_store.answers(session, adapter.id, "test") if answer.score is not None]
    if not train or not answers:
        return judgement.not_measured("release.by_heart", "Not measured.")
    rows = dataset_store.examples_of(session, [answer.example_id for answer in answers])
    own = [
        (answer.output, f"{_text(row.messages)}\n{row.target}")
        for answer in answers
        if (row := rows.get(answer.example_id)) is not None
    ]
    training_answers = (row.target for row in dataset_store.rows(session, dataset_id, "train"))
    copies = judgement.copied(own, training_answers)
    return judgement.by_heart(train, [answer.score or 0.0 for answer in answers], copies, binary=binary)


def _text(messages: Sequence[JsonObject]) -> str:
    return "\n".join(str(message["content"]) for message in messages)


def _slices(session: Session, baseline: BaselineRow, best: ArmRow, adapter: ArmRow, *, binary: bool) -> list[Slice]:
    pairs = {
        pair.example_id: (pair.before, pair.after)
        for pair in answer_store.pairs(session, best.id, adapter.id)
        if pair.before is not None and pair.after is not None
    }
    examples = [row for row in dataset_store.rows(session, baseline.dataset_id, "test") if row.id in pairs]
    named = _named(examples, group_store.named(session, baseline.dataset_id, "test"))
    belongs = belonging.groups_of(session, baseline)
    rows = [
        Row(*pairs[example.id], slices=slices, together=belongs.get(example.id, -example.id) if belongs else None)
        for example, slices in zip(examples, named, strict=True)
    ]
    return judgement.slices(rows, binary=binary)


def _named(examples: list[Example], groups: Mapping[int, str]) -> list[dict[str, str]]:
    """What each row belongs to: its label where expected answers are labels, how long its question is, its language,
    its group where the uploader named groups. The name of a group is not kept (`group_store.key_of`); the line of its
    first row stands for it."""
    questions = [prompts.question(example.messages) for example in examples]
    targets = {example.target for example in examples}
    labelled = len(targets) <= min(MOST_LABELS, len(examples) // 2) and all(
        len(target) <= LABEL_LENGTH for target in targets
    )
    sizes = judgement.lengths([len(question) for question in questions])
    named, first = [], dict[str, int]()
    for example, question, size in zip(examples, questions, sizes, strict=True):
        slices = {"question length": size}
        if labelled:
            slices["label"] = example.target.strip()
        if language := languages.of(question):
            slices["language"] = languages.name(language)
        if example.id in groups:
            slices[judgement.GROUP] = f"of row {first.setdefault(groups[example.id], example.line)}"
        named.append(slices)
    return named
