"""What goes into a check: everything that decides its outcome, by hashes and ids."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments import store as assessment_store
from app.datasets import store
from app.datasets.reading.read_as import ReadAs
from app.datasets.tables import DatasetRow
from app.privacy.decisions import KEEP_AS_IS, MASK, actions, kinds_with

CHECKPOINT_VERSION = 3  # raise it when what a checkpoint holds changes its meaning: an older one is not gone on with


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What goes into a check.

    file, test: hashes of the uploaded bytes, read as `how` and `test_how` say. previous: hash of the rows of the
    version before; frozen_before: of all versions before that were frozen, whose test rows may have judged.
    masked_before: kinds of personal data that were masked in any of them. keep: keys of the clusters whose repeats are
    used. model_id: whose tokens are counted. decided: what is done with each kind of personal data. plan, fresh,
    shared: see `SplitPlan`. needed: examples that training asks for. kept_in_other_files: kinds whose values somebody
    wanted kept in the version before, which holds for the same values only.
    """

    file: str
    name: str
    test: str | None
    test_name: str
    how: ReadAs
    test_how: ReadAs
    seed: int
    previous: str | None
    frozen_before: tuple[str, ...]
    masked_before: tuple[str, ...]
    keep: tuple[int, ...]
    model_id: int | None
    decided: Mapping[str, str]
    plan: str
    fresh: bool
    shared: str
    needed: int
    kept_in_other_files: tuple[str, ...]

    def to_json(self) -> list[object]:
        """All of it: a checkpoint holds only for the same."""
        return [CHECKPOINT_VERSION, asdict(self) | {"how": self.how.to_json(), "test_how": self.test_how.to_json()}]


def request_for(session: Session, row: DatasetRow) -> CheckRequest:
    """What goes into the check of a version, as things stand now."""
    plan = row.split_plan
    # Where somebody chose another way to split, only rows that may have judged already keep their place.
    previous = None if plan.fresh else store.before(session, row)
    frozen = store.frozen_before(session, row)
    # A word on the values of other files counts only once it is known that these hold no others.
    same = {kind for kind, version in store.kept_as_is_in(session, row).items() if _has_same_files(version, row)}
    kept_in_other_files = kinds_with(KEEP_AS_IS, row.decisions) - same
    masked_before = {
        kind for version in (*frozen, *([previous] if previous else [])) for kind in kinds_with(MASK, version.decisions)
    }
    policy = assessments.policy_of(session, assessment_store.get(session, row.assessment_id))
    return CheckRequest(
        file=row.blob_sha256,
        name=row.filename,
        test=row.test_blob_sha256,
        test_name=row.test_filename,
        how=row.read_as,
        test_how=row.read_as if plan.test_read_as is None else plan.test_read_as,
        seed=row.seed,
        previous=previous.rows_sha256 if previous else None,
        frozen_before=tuple(version.rows_sha256 for version in frozen if version.rows_sha256),
        masked_before=tuple(sorted(masked_before)),
        keep=tuple(int(key, 16) for key in row.kept_keys),
        model_id=row.lengths_model_id,
        decided={kind: action for kind, action in actions(row.decisions).items() if kind not in kept_in_other_files},
        plan=plan.by,
        fresh=plan.fresh,
        shared=plan.shared,
        needed=policy.count("usable_examples"),
        kept_in_other_files=tuple(sorted(kept_in_other_files)),
    )


def _has_same_files(version: DatasetRow, other: DatasetRow) -> bool:
    """Whether both were read from the same bytes in the same way."""
    return (version.blob_sha256, version.test_blob_sha256, version.read_as) == (
        other.blob_sha256,
        other.test_blob_sha256,
        other.read_as,
    )
