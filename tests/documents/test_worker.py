"""A real worker reads documents and checks packed and columnar uploads, children and all."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.datasets import store as datasets
from app.db import reading
from app.documents import store
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.examples import pairs
from tests.support.processes import Process, until
from tests.support.samples import pdf, zipped

pytestmark = pytest.mark.worker


def test_a_worker_opens_what_people_bring(
    people: Callable[[UserRow], TestClient],
    me: UserRow,
    assessment: AssessmentRow,
    engine: Engine,
    settings: Settings,
    worker: Callable[..., Process],
    tmp_path: Path,
) -> None:
    client = people(me)
    base = f"/api/v1/assessments/{assessment.id}"
    lines = pairs(120).splitlines()
    pq.write_table(pa.table({"prompt": [f"{n}" * 9 for n in range(90)], "completion": ["x"] * 90}), tmp_path / "p")
    client.put(f"{base}/documents?filename=all.zip", content=zipped(("a.md", b"# A\n\none"), ("b.pdf", pdf("two"))))
    packed = client.put(f"{base}/dataset?filename=x.jsonl.gz", content=gzip.compress(b"\n".join(lines))).json()["id"]
    columnar = client.put(f"{base}/dataset?filename=x.parquet", content=(tmp_path / "p").read_bytes()).json()["id"]

    worker(settings)

    def done() -> bool:
        with reading(engine) as session:
            states = [datasets.get(session, one).state for one in (packed, columnar)]
            return store.files(session, assessment.id)[0].state == "ready" and "checking" not in states

    until(done, 60)
    with reading(engine) as session:
        assert store.totals(session, assessment.id).documents == 2
        first, second = datasets.get(session, packed), datasets.get(session, columnar)
        assert (first.state, first.report.layout, first.report.records) == ("ready", "JSON lines", 120)
        assert (second.report.layout, second.report.records) == ("Parquet", 90)
