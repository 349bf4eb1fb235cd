"""Uploaded examples: immutable versions, their rows, and the frozen split."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.datasets.checks.report import Report
from app.datasets.reading.read_as import GUESS, TRAIN, ReadAs
from app.datasets.split_plan import SplitPlan
from app.datasets.thresholds import LABEL_LENGTH
from app.db import Base, Json, JsonOf
from app.json_types import JsonDict
from app.privacy.decisions import Decisions, decisions_from_json, decisions_to_json

# Word for word what a query has to say to be given the index.
SHORT_ENOUGH = text(f"length(target) <= {LABEL_LENGTH}")
MARKED = text("marks <> 0")
UNDECIDED = text("undecided > 0")


class DatasetRow(Base):
    """One upload, never changed afterwards; the next upload is the next `version`.

    state: checking, ready, rejected. `report_json` is the quality report as it is stored, `report` as it
    is read (`checks.report`).
    blob_sha256, test_blob_sha256: the bytes as uploaded; rows_sha256: the canonical rows that baselines and training
    read.
    kept_keys: keys of the clusters whose repeats are used, as they stood when it was uploaded (`KeptClusterRow.key`).
    lengths_model_id: the model whose tokens the report counts, None for the bundled one.
    split_sha256: hash of the manifest (which row is train, dev or test); frozen_at: from when it may not change.
    decisions: what was decided about personal data, by kind; undecided: kinds without a decision.
    split_plan: what was said about the split.
    read_as: how a person wants the file read, `GUESS` where that is guessed.
    human_checked: the uploader's word that a person wrote or checked every answer of the test rows.
    """

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("assessment_id", "version"),
        Index("ix_datasets_undecided", "assessment_id", sqlite_where=UNDECIDED, postgresql_where=UNDECIDED),
        CheckConstraint("state in ('checking', 'ready', 'rejected')", name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    version: Mapped[int]
    filename: Mapped[str] = mapped_column(String(200))
    format: Mapped[str] = mapped_column(String(40), default="")
    bytes: Mapped[int]
    blob_sha256: Mapped[str] = mapped_column(String(64))
    test_filename: Mapped[str] = mapped_column(String(200), default="")
    test_blob_sha256: Mapped[str | None] = mapped_column(String(64))
    read_as: Mapped[ReadAs] = mapped_column(
        JsonOf(ReadAs.from_json, ReadAs.to_json), default=GUESS, server_default="{}"
    )
    seed: Mapped[int] = mapped_column(default=7)
    kept_keys: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    lengths_model_id: Mapped[int | None]
    human_checked: Mapped[bool | None]
    decisions: Mapped[Decisions] = mapped_column(
        JsonOf(decisions_from_json, decisions_to_json), default=dict, server_default="{}"
    )
    undecided: Mapped[int] = mapped_column(default=0, server_default="0")
    split_plan: Mapped[SplitPlan] = mapped_column(
        JsonOf(SplitPlan.from_json, SplitPlan.to_json), default=SplitPlan(), server_default="{}"
    )
    state: Mapped[str] = mapped_column(String(16), default="checking")
    report_json: Mapped[JsonDict] = mapped_column("report", default=dict)
    rows_sha256: Mapped[str | None] = mapped_column(String(64))
    split_sha256: Mapped[str | None] = mapped_column(String(64))
    train_rows: Mapped[int] = mapped_column(default=0)
    dev_rows: Mapped[int] = mapped_column(default=0)
    test_rows: Mapped[int] = mapped_column(default=0)
    usable_rows: Mapped[int] = mapped_column(default=0)
    uploaded_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    uploaded_at: Mapped[datetime]
    frozen_at: Mapped[datetime | None]
    frozen_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    @property
    def trains_reasoning(self) -> bool:
        """Whether what was thought before the answers is trained, and models are asked to think."""
        return self.read_as.reasoning == TRAIN

    @property
    def seen_rows(self) -> int:
        """Rows that prompts and training may see."""
        return self.train_rows + self.dev_rows

    @property
    def used_rows(self) -> int:
        return self.seen_rows + self.test_rows

    # What was read last, with the column's value that it was read from: pages ask for it a dozen times.
    _read: tuple[()] | tuple[JsonDict, Report] = ()

    @property
    def report(self) -> Report:
        """The quality report; empty until the version is checked."""
        if not self._read or self._read[0] is not self.report_json:
            self._read = (self.report_json, Report.from_json(self.report_json))
        return self._read[1]


class ExampleRow(Base):
    """One line of a dataset.

    status: usable, fault, empty, too_long, duplicate, near_duplicate, contradiction, leak, test_group, private;
    `reason` says why. split: train, dev, test, or empty when the row is not used. cluster: number of its group of
    near-duplicates, None when it is alone. group_key: of the group that the uploader's column names
    (`group_store.key_of`), None where it names none. marks: what is doubtful about its content, see `suspicious.Mark`.
    size: how long question and answer are, in the unit that the report's `lengths` names; None where nothing could be
    read, and in versions older than this column.
    messages: what is asked (role, content), without the answer; target: the answer wanted.
    """

    __tablename__ = "examples"
    __table_args__ = (
        UniqueConstraint("dataset_id", "file", "line"),
        Index("ix_examples_split", "dataset_id", "split"),
        Index("ix_examples_status", "dataset_id", "status"),
        Index("ix_examples_cluster", "dataset_id", "cluster"),
        Index("ix_examples_size", "dataset_id", "size"),
        # For looking up a label; longer answers are no labels, and would only be stored a second time.
        Index("ix_examples_label", "dataset_id", "target", sqlite_where=SHORT_ENOUGH, postgresql_where=SHORT_ENOUGH),
        Index("ix_examples_marks", "dataset_id", sqlite_where=MARKED, postgresql_where=MARKED),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    file: Mapped[int] = mapped_column(default=0)  # 0 the upload, 1 the uploader's own test file
    line: Mapped[int]
    status: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text, default="")
    of_line: Mapped[int | None]
    similarity: Mapped[float | None]
    split: Mapped[str] = mapped_column(String(8), default="")
    cluster: Mapped[int | None]
    group_key: Mapped[str | None] = mapped_column(String(16))
    marks: Mapped[int] = mapped_column(default=0, server_default="0")
    size: Mapped[int | None]
    messages: Mapped[list[dict[str, str]]] = mapped_column(Json, default=list)
    target: Mapped[str] = mapped_column(Text, default="")


class KeyRow(Base):
    """What one frozen test row asks (`same_rows.key_of`): by these, test rows are known again wherever they turn up."""

    __tablename__ = "test_keys"
    __table_args__ = (Index("ix_test_keys_key", "key"),)

    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class KeptClusterRow(Base):
    """A person's word that rows which look alike are different rows, to be used all of them.

    key: of what the cluster's oldest row asks (`compared_text.key`, as 16 hex digits), so that the word holds for the
    next upload too. cluster, rows: its number and size in the version on which it was given. While `withdrawn_at` is
    None the word counts.
    """

    __tablename__ = "kept_clusters"
    __table_args__ = (Index("ix_kept_clusters_assessment_id", "assessment_id", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    assessment_id: Mapped[int] = mapped_column(ForeignKey("assessments.id", ondelete="CASCADE"))
    dataset_id: Mapped[int] = mapped_column(ForeignKey("datasets.id", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(16))
    cluster: Mapped[int]
    rows: Mapped[int]
    decided_by: Mapped[int] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime]
    withdrawn_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    withdrawn_at: Mapped[datetime | None]
