"""Pages that are sent again while nothing has changed: what must be seen at once, and what no two readers share."""

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from app.assessments import service as assessments
from app.assessments.service import Details
from app.assessments.tables import AssessmentRow
from app.db import make_engine, reading, utcnow, writing
from app.settings import Settings
from app.users import store as users
from app.users.identity import NOTICE_EVERY
from app.users.tables import Role, SessionRow, UserRow
from app.web.kept_pages import KeptPages
from tests.support.factories import Make

People = Callable[[UserRow], TestClient]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.deep])])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """On both databases, for each says in its own way whether anything has changed."""
    if request.param == "sqlite":
        return settings
    return settings.model_copy(update={"database_url": request.getfixturevalue("postgres_url")})


@pytest.fixture
def pages(web: TestClient) -> KeptPages:
    kept: KeptPages = web.app.state.context.kept_pages  # type: ignore[attr-defined]
    return kept


@pytest.fixture
def kept(make: Make, people: People, pages: KeptPages) -> tuple[AssessmentRow, UserRow, TestClient]:
    """An assessment, its author, and their browser, which has been sent the overview twice: the second time as kept."""
    author = make.author("Ada")
    row = make.assessment(author, title="Tickets")
    client = people(author)
    assert "Tickets" in _kept(client, f"/assessments/{row.id}", pages)
    return row, author, client


def _kept(client: TestClient, address: str, pages: KeptPages) -> str:
    """The page as it is sent without being made. Tried three times, for at the end of a minute all are made again."""
    for _ in range(3):
        client.get(address)
        before = pages.sent
        text = client.get(address).text
        if pages.sent > before:
            return text
    raise AssertionError(f"{address} is made each time")


Kept = tuple[AssessmentRow, UserRow, TestClient]


# ------------------------------------------------------------------ seen at once


def test_a_changed_assessment(kept: Kept, engine: Engine) -> None:
    row, author, client = kept
    with writing(engine) as session:
        assessments.rename(session, row.id, Details("Letters", "", ""), author)

    assert "Letters" in client.get(f"/assessments/{row.id}").text


def test_what_another_process_writes(kept: Kept, settings: Settings) -> None:
    row, _, client = kept
    _by_hand(settings, "update assessments set title = 'Letters'")

    assert "Letters" in client.get(f"/assessments/{row.id}").text
    assert "Letters" in client.get("/").text


def _by_hand(settings: Settings, statement: str) -> None:
    """As another program would, past everything of ours that could notice it."""
    engine = make_engine(settings.url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_another_person_gets_a_page_of_their_own(kept: Kept, make: Make, people: People, pages: KeptPages) -> None:
    row, _, client = kept
    other = people(make.author("Bob"))
    before = pages.sent

    answer = other.get(f"/assessments/{row.id}").text

    assert pages.sent == before
    assert "Bob <small>" in answer
    assert "Ada <small>" in client.get(f"/assessments/{row.id}").text


def test_nobody_gets_anybodys(kept: Kept, web: TestClient) -> None:
    row, _, client = kept

    stranger = TestClient(web.app, base_url=str(web.base_url), follow_redirects=False)
    stranger.portal = web.portal
    assert stranger.get(f"/assessments/{row.id}").status_code == 303
    assert stranger.get(f"/assessments/{row.id}", headers={"Cookie": "tunegate=guess"}).status_code == 303
    cookie = f"tunegate={client.cookies['tunegate']}"
    token = {"Cookie": cookie, "Authorization": "Bearer tg_guess"}
    assert stranger.get(f"/assessments/{row.id}", headers=token).status_code == 303


def test_a_changed_role(make: Make, engine: Engine, people: People, pages: KeptPages) -> None:
    admin = make.admin("Ada")
    make.assessment(admin)
    client = people(admin)
    assert 'href="/users"' in _kept(client, "/", pages)
    with writing(engine) as session:
        session.execute(update(UserRow).where(UserRow.id == admin.id).values(role=Role.AUTHOR))

    assert 'href="/users"' not in client.get("/").text


@pytest.mark.parametrize(
    "ends",
    [
        lambda session, user: users.end_sessions(session, user.id),
        lambda session, user: session.execute(update(UserRow).where(UserRow.id == user.id).values(active=False)),
        lambda session, user: session.execute(
            update(SessionRow).where(SessionRow.user_id == user.id).values(expires_at=utcnow() - timedelta(seconds=1))
        ),
    ],
    ids=["signed out elsewhere", "disabled", "expired"],
)
def test_a_session_that_has_ended(kept: Kept, engine: Engine, ends: Callable[[Session, UserRow], Any]) -> None:
    row, author, client = kept
    with writing(engine) as session:
        ends(session, author)

    assert client.get(f"/assessments/{row.id}").status_code == 303


def test_a_sign_out(kept: Kept) -> None:
    row, _, client = kept
    cookie = {"Cookie": f"tunegate={client.cookies['tunegate']}"}
    sent = {**cookie, "Sec-Fetch-Site": "same-origin"}
    client.cookies.clear()
    assert client.get(f"/assessments/{row.id}", headers=cookie).status_code == 200
    assert client.post("/sign-out", headers=sent).status_code == 303

    assert client.get(f"/assessments/{row.id}", headers=cookie).status_code == 303


def test_the_end_of_a_session_by_the_clock_alone(make: Make, engine: Engine, people: People, pages: KeptPages) -> None:
    """Nothing is written when a session runs out, so nothing but the clock can say it."""
    author = make.author()
    row = make.assessment(author)
    client = people(author)
    with writing(engine) as session:
        session.execute(update(SessionRow).values(expires_at=utcnow() + timedelta(seconds=1)))
    client.get(f"/assessments/{row.id}")
    before = pages.sent
    until = utcnow() + timedelta(seconds=3)

    while client.get(f"/assessments/{row.id}").status_code == 200:
        assert utcnow() < until

    assert pages.sent > before


# ------------------------------------------------------------------ what is not kept


def test_a_notice_is_there_once(kept: Kept) -> None:
    row, _, client = kept
    client.post(f"/assessments/{row.id}/archive", headers={"Sec-Fetch-Site": "same-origin"})
    assert "It is in the list under Archived" in client.get("/").text

    assert "It is in the list under Archived" not in client.get("/").text
    assert "It is in the list under Archived" not in client.get("/").text


def test_two_tabs_have_two_names(make: Make, people: People, pages: KeptPages) -> None:
    """By its name the server knows which tab saved last; two of one name would overwrite each other in silence."""
    author = make.author()
    row = make.assessment(author)
    client = people(author)
    address = f"/assessments/{row.id}/describe/goal"
    texts = [_kept(client, address, pages) for _ in range(4)]
    names = [re.findall(r'name="tab" value="([\w-]{11})"', text) for text in texts]

    assert all(len(found) == 1 for found in names)
    assert len({found[0] for found in names}) == 4
    assert len({text.replace(found[0], "") for text, found in zip(texts, names, strict=True)}) == 1


def test_a_piece_of_a_page_is_made_each_time(kept: Kept, pages: KeptPages) -> None:
    _, _, client = kept
    before = pages.sent
    for _ in range(2):
        client.get("/", headers={"HX-Request": "true"})

    assert pages.sent == before


def test_what_is_kept_is_what_was_sent(kept: Kept) -> None:
    row, _, client = kept
    again = client.get(f"/assessments/{row.id}")
    made = client.get(f"/assessments/{row.id}?made=new")

    assert dict(again.headers) == dict(made.headers)
    assert again.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in again.headers["content-security-policy"]
    assert again.text == made.text


def test_last_seen_is_written_all_the_same(kept: Kept, engine: Engine) -> None:
    row, _, client = kept
    long_ago = utcnow() - NOTICE_EVERY - timedelta(seconds=1)
    with writing(engine) as session:
        session.execute(update(SessionRow).values(seen_at=long_ago))

    client.get(f"/assessments/{row.id}")

    with reading(engine) as session:
        assert session.query(SessionRow).one().seen_at > long_ago


def test_a_change_while_a_page_is_made_is_on_the_next(
    make: Make, engine: Engine, people: People, web: TestClient
) -> None:
    """Somebody writes all the time; what a reader sees is never older than what was there when they asked."""
    author = make.author()
    row = make.assessment(author, title="Number 0")
    client = people(author)
    written, over = [0], threading.Event()

    def write() -> None:
        while not over.is_set() and written[0] < 500:
            with writing(engine) as session:
                number = written[0] + 1
                session.execute(
                    update(AssessmentRow).where(AssessmentRow.id == row.id).values(title=f"Number {number}")
                )
            written[0] = number

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(60):
            there = written[0]
            found = re.search(r"<h1>\s*Number (\d+)", client.get(f"/assessments/{row.id}").text)
            assert found is not None
            assert int(found[1]) >= there
    finally:
        over.set()
        thread.join()
