"""Two variants side by side: filters with their counts, one row with its neighbours, looks, and what a page asks."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, insert, select

from app.baselines import store
from app.baselines.tables import AnswerRow, ArmRow, OpeningRow
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.economics.tables import PriceRow
from app.inference.tables import ModelRow
from app.privacy.kinds import EMAIL
from app.users.tables import UserRow
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


class Both:
    """Zero-shot, right on the first 50 of 100 dev rows, and nearest examples, right on the first 70."""

    def __init__(self, make: Make, people: People, engine: Engine) -> None:
        self.make, self.engine, self.author = make, engine, make.author("Ben")
        self.client = people(self.author)
        self.assessment = make.ready(self.author).id
        with reading(engine) as session:
            baseline = store.current(session, self.assessment)
            assert baseline is not None
            arms = {arm.name: arm.id for arm in baseline.arms}
            self.baseline, self.a, self.b = baseline.id, arms["zero_shot"], arms["few_shot_nearest"]
            self.arms = arms
            self.rows = list(
                session.scalars(
                    select(AnswerRow.example_id)
                    .where(AnswerRow.arm_id == self.a, AnswerRow.split == "dev")
                    .order_by(AnswerRow.example_id)
                )
            )

    def change(self, arm: int, number: int, **values: Any) -> None:
        """Another answer of an arm to the row of this number, from 1."""
        with writing(self.engine) as session:
            query = select(AnswerRow).where(AnswerRow.arm_id == arm, AnswerRow.example_id == self.rows[number - 1])
            row = session.scalars(query).one()
            for name, value in values.items():
                setattr(row, name, value)

    def address(self, **values: Any) -> tuple[str, dict[str, Any]]:
        return f"/baselines/{self.baseline}/side-by-side", {"a": self.a, "b": self.b, **values}

    def api(self, **values: Any) -> dict[str, Any]:
        path, query = self.address(**values)
        answered = self.client.get(f"/api/v1{path}", params=query)
        assert answered.status_code == 200, answered.text
        made: dict[str, Any] = answered.json()
        return made

    def page(self, **values: Any) -> str:
        path, query = self.address(**values)
        return self.client.get(path, params=query).text

    def lines(self, **values: Any) -> list[int]:
        """Numbers of the rows that are chosen, page by page."""
        seen: list[int] = []
        after = 0
        while True:
            found = self.api(after=after, limit=7, **values)
            seen += [self.rows.index(row["example_id"]) + 1 for row in found["data"]]
            if not found["has_more"]:
                return seen
            after = found["data"][-1]["example_id"]


@pytest.fixture
def both(make: Make, people: People, engine: Engine) -> Both:
    return Both(make, people, engine)


def test_every_count_is_the_number_of_rows_behind_its_link(both: Both) -> None:
    both.change(both.b, 60, finish="length")
    both.change(both.a, 80, finish="length")
    both.change(both.b, 81, finish="length", raw="<think>so</think>?")
    both.change(both.a, 3, status="error", error="The server said 500.", score=None, output="")

    counts = both.api()["counts"]
    assert counts["which"] == {"fixed": 20, "broken": 0, "both_wrong": 30, "both_right": 49, "all": 100}
    assert counts["marks"] == {"error": 1, "cut": 3, "thinking": 1, "cache": 0, "decoration": 0}
    assert both.lines(which="fixed") == list(range(51, 71))
    assert both.lines(mark="cut") == [60, 80, 81]
    assert both.lines(mark=["cut", "thinking"]) == [81]
    assert both.lines(which="fixed", mark="cut") == [60]
    assert both.api(which="both_wrong", mark="cut")["counts"]["which"]["fixed"] == 1
    assert both.api(which="both_wrong", mark="cut")["counts"]["marks"]["thinking"] == 1
    page = both.page(which="both_wrong")
    assert re.search(r'which=both_wrong" aria-current="true">\s*Both wrong 30</a>', page)
    assert re.search(r"which=both_wrong&amp;mark=cut\">\s*Cut 2", page)
    assert "From the cache" not in page  # no control that leads nowhere
    assert both.api(a=both.b, b=both.a)["counts"]["which"]["broken"] == 20


def test_words_and_labels_are_looked_up_as_they_may_be_read(both: Both) -> None:
    secret = "mail ann@example.org"
    with writing(both.engine) as session:
        dataset = session.scalars(select(DatasetRow)).one()
        dataset.report_json = {**dataset.report_json, "identifiers": {"kinds": [{"kind": EMAIL, "rows": 1}]}}
        session.get_one(ExampleRow, both.rows[4]).target = secret
    both.change(both.b, 90, output="an odd ANSWER")

    assert both.lines(words="odd answer") == [90]
    assert both.lines(words="number 1071") == [21]  # a question of the dev rows, which begin at 1051
    assert both.lines(words="ann@example") == []  # hidden, so it can't be found out by searching
    assert both.lines(words="mail [") == [5]
    assert both.lines(expected=f"mail [{EMAIL}]") == [5]
    assert both.lines(expected=secret) == []
    assert both.lines(expected=f"mail [{EMAIL}]", which="both_right") == [5]
    assert secret not in both.page(expected=f"mail [{EMAIL}]")


def test_one_row_alone_keeps_the_filter_on_its_way_to_the_next(both: Both) -> None:
    path, query = both.address(which="fixed")
    alone = both.client.get(f"/api/v1{path}/{both.rows[52]}", params=query).json()

    assert (alone["number"], alone["total"], alone["outcome"]) == (3, 20, "fixed")
    assert (alone["preceding"], alone["following"]) == (both.rows[51], both.rows[53])
    outside = both.client.get(f"/api/v1{path}/{both.rows[0]}", params=query).json()
    assert (outside["number"], outside["preceding"], outside["following"]) == (0, None, both.rows[50])
    page = both.client.get(f"{path}/{both.rows[52]}", params=query).text
    assert re.search(rf'rel="next" href="{path}/{both.rows[53]}\?a={both.a}&amp;b={both.b}&amp;which=fixed"', page)
    assert "3 of 20, fixed by B" in " ".join(page.split())
    assert both.client.get(f"{path}/999999", params=query).status_code == 404


def test_what_differs_is_marked_and_said(both: Both) -> None:
    both.change(both.a, 55, output="/** Does nothing. */", raw="<think>hm</think>/** Does nothing. */")
    page = both.page(which="fixed", words="nothing")

    assert '<del><mark class="apart">nothing</mark></del>' in page
    assert re.search(r'<ins title="not in A">\d+</ins>', page)
    assert "thinking removed" in page
    assert "&lt;think&gt;hm&lt;/think&gt;" in page
    assert "Raw, extracted and compared" in page


def test_reading_test_rows_is_a_look_at_both_variants_that_have_any(both: Both) -> None:
    both.page()
    both.api()
    with reading(both.engine) as session:
        assert session.scalars(select(OpeningRow)).all() == []

    both.page(split="test")

    with reading(both.engine) as session:
        noted = session.scalars(select(OpeningRow)).all()
    assert [(one.arm_id, one.user_id, one.how) for one in noted] == [(both.b, both.author.id, "read")]


def test_two_of_the_same_and_variants_of_others_are_refused(both: Both) -> None:
    path, query = both.address(b=both.a)

    same = both.client.get(path, params=query)
    assert same.status_code == 422
    assert "Choose another variant than A." in same.text
    assert both.client.get(f"/api/v1{path}", params=query).json()["errors"][0]["parameter"] == "b"
    assert both.client.get(path, params={"a": 999999}).status_code == 404
    alone = both.client.get(f"/api/v1{path}", params={"b": both.arms["revised_prompt/1"]}).json()
    assert (alone["a"], alone["b"]) == (both.b, both.arms["revised_prompt/1"])  # what it revised


def test_an_answer_has_its_cost_where_tokens_and_price_are_known(both: Both) -> None:
    with writing(both.engine) as session:
        name = session.scalars(select(ModelRow.name)).one()
        for unit, price in (("input_tokens", 2.0), ("output_tokens", 8.0)):
            session.add(
                PriceRow(
                    name=name, unit=unit, price=price, currency="EUR", dated=date(2026, 1, 1), source="a list",
                    edited_by=both.author.id, edited_at=utcnow(),
                )
            )  # fmt: skip
    both.change(both.b, 1, prompt_tokens=1000, completion_tokens=100, details={"chances": {"x": 0.75, "y": 0.25}})

    first = both.api(limit=1)
    assert first["currency"] == "EUR"
    assert first["data"][0]["b"]["cost"] == pytest.approx((1000 * 2 + 100 * 8) / 1e6)
    assert first["data"][0]["b"]["probability"] == 0.75
    assert first["data"][0]["a"]["cost"] is None
    page = " ".join(both.page().split())
    assert "1,000 + 100 tokens · 0.002800 EUR · probability 75 %" in page
    assert "tokens unknown" in page


def test_a_page_asks_no_more_of_twelve_variants_with_four_hundred_rows(both: Both, web: TestClient) -> None:
    """Neither more queries nor the texts of more rows than it shows."""
    app: Any = web.app
    both.page()  # what is read once for all pages
    asked: list[tuple[str, Any]] = []
    engine: Engine = app.state.context.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    both.page(which="both_wrong")
    few = len(asked)
    _grow(both)
    both.page()  # who asks is looked up once more after a change
    asked.clear()

    page = both.page(which="both_wrong", mark="cut")

    assert "Both wrong" in page
    assert len(asked) == few <= MOST
    wanted = re.compile(r"SELECT .*\boutput\b.*\sFROM answers", re.DOTALL)
    reads = [statement for statement, _ in asked if wanted.search(statement)]
    assert len(reads) == 1
    assert "LIMIT" in reads[0]


MOST = 30


def _grow(both: Both) -> None:
    """Ten variants more, and 300 rows that all of them were asked."""
    with writing(both.engine) as session:
        dataset = session.scalars(select(DatasetRow)).one()
        more = [
            {
                "dataset_id": dataset.id, "line": 5_000 + number, "status": "usable", "split": "dev",
                "messages": [{"role": "user", "content": "word " * 200}], "target": "alpha " * 100,
            }
            for number in range(300)
        ]  # fmt: skip
        session.execute(insert(ExampleRow), more)
        for number in range(10):
            session.add(
                ArmRow(baseline_id=both.baseline, family="few_shot_random", name=f"few_shot_random/{number + 10}",
                       title="more", settings={"shots": "random", "k": 3, "seed": number})
            )  # fmt: skip
        session.flush()
        arms = session.scalars(select(ArmRow.id).where(ArmRow.baseline_id == both.baseline)).all()
        ids = session.scalars(select(ExampleRow.id).where(ExampleRow.line >= 5_000)).all()
        session.execute(
            insert(AnswerRow),
            [
                {
                    "arm_id": arm, "split": "dev", "example_id": row, "status": "ok", "output": "omega " * 100,
                    "score": 0.0, "finish": "length", "created_at": utcnow(),
                }
                for arm in arms
                for row in ids
            ],
        )  # fmt: skip
