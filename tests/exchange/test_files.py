"""A measurement as a file: each form is read back by a reader of its own, and says what the answers said."""

import csv
import io
import json
import zipfile
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from app.baselines.spending import Prices
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow, OpeningRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.exchange import junit, lm_eval
from app.exchange.values import Tally
from app.users.tables import UserRow
from app.web.protocols import CallPrice
from tests.support.factories import Make

ODD = "=1+1\x1b[31m\x00]]>&<b> \ud7ff\u2028 “é” \U0001f600".replace("\x00", "")
SAID = "<think>hm</think>\n+1"


@pytest.fixture
def client(make: Make, engine: Engine, people: Callable[[UserRow], TestClient]) -> TestClient:
    """Two variants on three dev rows and one test row: right, wrong with odd signs, an error."""
    author = make.author()
    assessment = make.assessment(author, title="Tickets & <more>")
    dataset = make.dataset(assessment, author, train=1, dev=3, test=1)
    model = make.model(kind="endpoint", base_url="http://127.0.0.1:9", reference="acme/x-1", files={})
    baseline = make.baseline(assessment, dataset, model, author, passed=1)
    with writing(engine) as session:
        session.query(AnswerRow).delete()
        arms = session.scalars(select(ArmRow).where(ArmRow.name.in_(["zero_shot", "few_shot_nearest"]))).all()
        rows = session.scalars(select(ExampleRow).where(ExampleRow.split.in_(["dev", "test"]))).all()
        for arm in arms:
            for number, row in enumerate(rows):
                failed, right = number == 2, number in (0, 3)
                session.add(
                    AnswerRow(
                        arm_id=arm.id, split=row.split, example_id=row.id, status="error" if failed else "ok",
                        output="" if failed else row.target if right else ODD, raw=SAID if right else None,
                        error="HTTP 500 \x01" if failed else None, score=None if failed else float(right),
                        finish="" if failed else "stop", prompt_sha256="a" * 64, shots=[1], seconds=0.25,
                        prompt_tokens=0 if failed else 7, completion_tokens=0 if failed else 2, created_at=utcnow(),
                    )
                )  # fmt: skip
    assert baseline.id == 1
    return people(author)


def get(client: TestClient, kind: str, split: str = "all") -> bytes:
    answer = client.get(f"/api/v1/baselines/1/answers.{kind}?split={split}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith('attachment; filename="measurement-1')
    return answer.content


def test_lines_and_tables_hold_every_answer_with_what_it_was_made_of(client: TestClient, engine: Engine) -> None:
    lines = [json.loads(line) for line in get(client, "jsonl").splitlines()]
    table = list(csv.DictReader(io.StringIO(get(client, "csv").decode("utf-8-sig"), newline="")))

    with reading(engine) as session:
        dataset = session.scalars(select(DatasetRow)).one()
    assert len(lines) == len(table) == 8
    first = lines[0]
    assert (first["model"], first["metric"], first["rules"]) == ("acme/x-1", "exact_match", 1)
    assert (first["rows_sha256"], first["split_sha256"]) == (dataset.rows_sha256, dataset.split_sha256)
    assert (first["raw"], first["compared_output"], first["score"], first["correct"]) == (
        SAID,
        first["target"],
        1.0,
        True,
    )
    assert (first["prompt_tokens"], first["latency_ms"]) == (7, 250)
    assert (lines[2]["score"], lines[2]["error"], lines[2]["raw"], lines[2]["prompt_tokens"]) == (
        None,
        "HTTP 500 \x01",
        None,
        None,
    )
    assert [row["arm"] for row in table] == [line["arm"] for line in lines]
    assert table[1]["output"] == "'" + ODD, "a spreadsheet runs nothing"
    assert lines[1]["output"] == ODD


def test_dev_rows_alone_are_no_look_and_test_rows_are_one(client: TestClient, engine: Engine) -> None:
    def looks() -> int:
        with reading(engine) as session:
            return len(session.scalars(select(OpeningRow)).all())

    dev = get(client, "jsonl", "dev")
    before = looks()
    page = client.get("/baselines/1/answers.junit.xml?split=test")

    assert {json.loads(line)["split"] for line in dev.splitlines()} == {"dev"}
    assert before == 0
    assert page.status_code == 200
    assert looks() == 1, "of the one variant that has a test result"


def test_promptfoo_finds_a_result_of_its_third_version(client: TestClient) -> None:
    file = json.loads(get(client, "promptfoo.json"))

    results = file["results"]
    assert (results["version"], len(results["prompts"]), len(results["results"])) == (3, 2, 8)
    assert results["stats"] | {"tokenUsage": None} == {"successes": 4, "failures": 2, "errors": 2, "tokenUsage": None}
    assert [(one["promptIdx"], one["testIdx"]) for one in results["results"]] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3),
    ]  # fmt: skip
    right, wrong, failed = results["results"][:3]
    assert (right["success"], right["failureReason"], right["gradingResult"]["pass"]) == (True, 0, True)
    assert (wrong["success"], wrong["failureReason"], wrong["response"]["output"]) == (False, 1, ODD)
    assert (failed["success"], failed["failureReason"], failed["error"]) == (False, 2, "HTTP 500 \x01")
    assert right["testCase"]["assert"] == [{"type": "equals", "value": right["vars"]["expected"]}]
    assert results["prompts"][0]["metrics"]["testPassCount"] == 2
    assert file["metadata"]["tunegate"]["metric"] == "exact_match"
    assert not any("cost" in one for one in (right, wrong, failed, results["prompts"][0]["metrics"])), "no price"


def test_promptfoo_finds_the_costs_that_are_known_and_no_others(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        baseline = session.get_one(BaselineRow, 1)
        of_model = {baseline.model_id: CallPrice(1_000_000.0, 2_000_000.0, "EUR")}
        baseline.prices = Prices(of_model).to_json()
        taken = session.scalars(select(AnswerRow).where(AnswerRow.split == "test")).first()
        assert taken is not None
        taken.taken_from = 1
    file = json.loads(get(client, "promptfoo.json", "dev"))

    right, wrong, failed = file["results"]["results"][:3]
    assert (right["cost"], wrong["cost"]) == (11.0, 11.0)
    assert "cost" not in failed
    assert file["results"]["prompts"][0]["metrics"]["cost"] == 22.0
    assert file["metadata"]["tunegate"]["currency"] == "EUR"
    both = [one["metrics"]["cost"] for one in json.loads(get(client, "promptfoo.json"))["results"]["prompts"]]
    assert sorted(both) == [22.0, 33.0], "an answer of an earlier run costs nothing"
    with writing(engine) as session:
        session.execute(update(AnswerRow).where(AnswerRow.status == "ok").values(prompt_tokens=0))
    assert "cost" not in json.loads(get(client, "promptfoo.json"))["results"]["prompts"][0]["metrics"]


def test_the_harness_finds_a_summary_with_the_samples_of_each_task(client: TestClient) -> None:
    with zipfile.ZipFile(io.BytesIO(get(client, "lm-eval.zip"))) as zipped:
        assert zipped.testzip() is None
        names = zipped.namelist()
        summary = json.loads(zipped.read(names[0]))
        samples = {name: [json.loads(line) for line in zipped.read(name).splitlines()] for name in names[1:]}

    assert names[0].startswith("acme__x-1/results_")
    assert len(names) == 5
    task = summary["results"]["zero_shot_dev"]
    assert (task["exact_match,none"], task["errors"]) == (0.5, 1)
    assert task["exact_match_stderr,none"] == pytest.approx(0.5)
    assert summary["n-samples"]["zero_shot_dev"] == {"original": 3, "effective": 2}
    assert [summary["n-shot"][f"{name}_dev"] for name in ("zero_shot", "few_shot_nearest")] == [0, 5]
    assert set(summary["configs"]) == set(summary["versions"]) == set(summary["results"])
    (mine,) = [rows for name, rows in samples.items() if "samples_zero_shot_dev_" in name]
    scored = [row["exact_match"] for row in mine if row["metrics"]]
    assert sum(scored) / len(scored) == task["exact_match,none"]
    assert mine[2]["metrics"] == []
    assert "exact_match" not in mine[2]


def test_build_servers_find_a_case_a_row_whatever_a_model_said(client: TestClient) -> None:
    root = ET.fromstring(get(client, "junit.xml").decode())  # noqa: S314 - of our own making

    suites = list(root)
    assert (root.get("name"), root.get("tests"), root.get("failures"), root.get("errors")) == (
        "Tickets & <more>",
        "8",
        "2",
        "2",
    )
    cases = suites[0].findall("testcase")
    assert [[child.tag for child in case if child.tag != "system-out"] for case in cases] == [
        [],
        ["failure"],
        ["error"],
    ]
    assert "\\u001b[31m" in str(cases[1].findtext("failure"))
    assert cases[2][0].get("message") == "HTTP 500 \\u0001"
    properties = {one.get("name"): one.get("value") for one in suites[0].iter("property")}
    assert (properties["metric"], properties["model"]) == ("exact_match", "acme/x-1")
    names = [case.get("name") for suite in suites for case in suite.findall("testcase")]
    assert len(names) == 8


@pytest.mark.parametrize("sign", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff", "\r"])
def test_what_xml_can_not_hold_is_named(sign: str) -> None:
    made = junit.legal(f"a{sign}b")

    assert made == f"a\\u{ord(sign):04x}b"
    ET.fromstring(f"<x>{made}</x>")  # noqa: S314 - the same


def test_the_standard_error_is_that_of_the_harness() -> None:
    """lm-eval: the sample's standard deviation (n - 1) over the root of n."""
    scores = [1.0, 0.0, 0.5, 1.0]
    tally = Tally(right=2, wrong=2, total=sum(scores), squares=sum(score**2 for score in scores))

    assert tally.mean == 0.625
    assert tally.standard_error == pytest.approx(0.23935677693908453)
    assert Tally(right=1, total=1.0, squares=1.0).standard_error is None
    assert lm_eval.sanitized("acme/x:1") == "acme__x__1"
    assert lm_eval.sanitized("..") == "model"
