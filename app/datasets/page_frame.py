"""What stands around every page of a version: the assessment, and the parts of the report as tabs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from fastapi import Request
from sqlalchemy.orm import Session

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.datasets import store
from app.datasets.tables import DatasetRow
from app.web.pages import url_for, url_if_any

# The parts that are the report's own address with `?tab=`; the others have an address of their own.
PARTS = ("overview", "learnability", "split", "personal", "export", "versions")


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of the report. number: of what it lists, None where it lists nothing."""

    slug: str
    name: str
    url: str
    number: int | None = None


class Frame(TypedDict):
    """What is around every page of a version."""

    assessment: AssessmentRow
    step: str
    dataset: DatasetRow
    tabs: list[Tab]
    tab: str


def frame(request: Request, session: Session, dataset: DatasetRow, tab: str) -> Frame:
    """What the templates of all these pages need. tab: the part that is shown."""
    return {
        "assessment": assessment_store.get(session, dataset.assessment_id),
        "step": "data",
        "dataset": dataset,
        "tabs": list(tabs(request, dataset, store.number_of_versions(session, dataset.assessment_id))),
        "tab": tab,
    }


def tabs(request: Request, dataset: DatasetRow, versions: int) -> Iterator[Tab]:
    """The parts that this version has. versions: of its assessment."""
    report = dataset.report
    here = url_for(request, "dataset", dataset_id=dataset.id)
    yield Tab("overview", "Overview", here)
    if dataset.rows_sha256:
        yield Tab("rows", "Rows", url_for(request, "dataset_rows", dataset_id=dataset.id))
    if report.labels:
        labels = url_for(request, "dataset_labels", dataset_id=dataset.id)
        yield Tab("labels", "Labels", labels, report.different_labels)
    if report.clusters:
        groups = url_for(request, "dataset_clusters", dataset_id=dataset.id)
        yield Tab("clusters", "Duplicates", groups, report.clusters.count)
    if dataset.state == "ready":
        if report.learnability or (report.signals and report.signals.evidence):
            yield Tab("learnability", "Learnability", f"{here}?tab=learnability")
        yield Tab("split", "Split", f"{here}?tab=split")
        if second := url_if_any(request, "second_labels", dataset_id=dataset.id):
            yield Tab("second", "Agreement", second)
    if report.kinds_found:
        rows = report.identifiers.rows if report.identifiers else 0
        yield Tab("personal", "Personal data", f"{here}?tab=personal", rows)
    if dataset.state == "ready":
        yield Tab("export", "Export", f"{here}?tab=export")
    yield Tab("versions", "Versions", f"{here}?tab=versions", versions)
