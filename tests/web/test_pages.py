"""Numbers in words, redirects, and the frame of a page."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import Request, Response
from jinja2 import UndefinedError
from starlette.routing import NoMatchFound

from app import wording
from app.users.deps import Me
from app.web import pages
from app.web.deps import Db
from app.web.pages import page, render, see
from app.web.security import Web
from tests.support.small_app import People

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (pages.percent(0.741), "74.1 %"),
        (pages.percent(0), "0.0 %"),
        (pages.percent(None), "\N{EN DASH}"),
        (pages.percent(math.nan), "\N{EN DASH}"),
        (pages.percent(-0.05, 0), "\N{MINUS SIGN}5 %"),
        (pages.points(0.052), "+5.2 points"),
        (pages.points(-0.052), "\N{MINUS SIGN}5.2 points"),
        (pages.points(-0.052, unit=""), "\N{MINUS SIGN}5.2"),
        (pages.gap(0.05), "5"),
        (pages.gap(0.052, 1), "5.2"),
        (pages.hundredths(0.9), "90"),
        (pages.hundredths(0.925), "92.5"),
        (pages.signed(17), "+17"),
        (pages.count(1412), "1,412"),
        (pages.count(None), "\N{EN DASH}"),
        (wording.inflect(0, "is", "are"), "are"),
        (wording.inflect(1, "is", "are"), "is"),
        (wording.upper_first("two RAG answers"), "Two RAG answers"),
        (wording.lower_first("Two RAG answers"), "two RAG answers"),
        (wording.lower_first(""), ""),
        (pages.size(0), "0 B"),
        (pages.size(999), "999 B"),
        (pages.size(1500), "1.5 kB"),
        (pages.size(271_000_000), "271 MB"),
        (pages.size(5e12), "5.0 TB"),
        (pages.duration(0.3), "under 1 s"),
        (pages.duration(59.6), "1 min"),
        (pages.duration(125), "2 min 5 s"),
        (pages.duration(3600), "1 h"),
        (pages.duration(90_000), "1 d 1 h"),
        (pages.duration(math.inf), "\N{EN DASH}"),
        (pages.lasting(NOW, NOW + timedelta(seconds=125)), "2 min 5 s"),
        (pages.moment(NOW), "2026-11-23 12:00 UTC"),
        (pages.moment(None), "\N{EN DASH}"),
        (pages.ago(NOW - timedelta(seconds=5), NOW), "just now"),
        (pages.ago(NOW - timedelta(minutes=1), NOW), "1 minute ago"),
        (pages.ago(NOW - timedelta(hours=25), NOW), "1 day ago"),
        (pages.ago(NOW + timedelta(days=13, hours=23), NOW), "in 14 days"),
    ],
)
def test_numbers_in_words(written: str, text: str) -> None:
    assert written == text


@pytest.mark.parametrize(("items", "listed", "rest"), [("abc", 2, 1), ("a", 2, 0), (12, 8, 4), (0, 8, 0)])
def test_what_a_cut_list_leaves_out_is_counted(items: str | int, listed: int, rest: int) -> None:
    assert pages.beyond(items, listed) == rest


def test_a_share_of_nothing_is_nothing() -> None:
    assert (pages.share(1, 4), pages.share(0, 0)) == (0.25, 0.0)


def test_a_missing_value_is_an_error_and_not_an_empty_space(app: Web, people: People) -> None:
    seen: list[str] = []

    @app.get("/careless")
    def careless(request: Request, me: Me) -> Response:
        with pytest.raises(UndefinedError, match="detail"):
            render(request, "problems/_note.html", title="x", errors=())
        seen.append("refused")
        return Response()

    people.browser().get("/careless")

    assert seen == ["refused"]


def test_a_notice_is_one_of_ours_and_never_from_the_address(people: People) -> None:
    client = people.browser()

    assert "Token revoked." not in client.get("/account?notice=revoked").text
    client.cookies.set("notice", "Send money")
    assert "Send money" not in client.get("/account").text


def test_a_notice_is_shown_once(app: Web, people: People) -> None:
    @app.post("/revoke")
    def revoke(request: Request, me: Me) -> Response:
        return see(request, "account", notice="revoked")

    client = people.browser()
    client.post("/revoke")

    piece = client.get("/account", headers={"hx-request": "true"})
    assert "set-cookie" not in piece.headers, "a piece of a page has no place for it"
    first, again = client.get("/account"), client.get("/account")

    assert "Token revoked." in first.text
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "Token revoked." not in again.text
    assert "set-cookie" not in again.headers


def test_a_redirect_names_its_page(app: Web, people: People) -> None:
    @app.post("/act")
    def act(request: Request, me: Me) -> Response:
        return see(request, "problem", notice="saved", anchor="end", query={"page": 2, "q": ""}, slug="conflict")

    answer = people.browser().post("/act")

    assert (answer.status_code, answer.headers["location"]) == (303, "/problems/conflict?page=2#end")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("notice=saved;")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    ("role", "visible"),
    [("author", set()), ("reviewer", {"Audit"}), ("admin", {"Audit", "Users"})],
)
def test_the_bar_shows_what_this_role_can_open(people: People, role: str, visible: set[str]) -> None:
    bar = people.browser(role).get("/account").text.split("<nav")[1].split("</nav>")[0]

    assert {name for name in ("Users", "Audit") if f">{name}</a>" in bar} == visible


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_theme_is_remembered(people: People, theme: str) -> None:
    client = people.browser()

    client.post("/account/theme", data={"theme": theme, "next": "/account"})
    assert f'<html lang="en" data-theme="{theme}">' in client.get("/account").text

    client.post("/account/theme", data={"theme": "", "next": "/account"})
    assert '<html lang="en">' in client.get("/account").text


def test_a_theme_is_one_of_ours(people: People) -> None:
    client = people.browser()
    client.cookies.set("theme", '"><script>')

    assert "data-theme" not in client.get("/account").text


def test_the_steps_of_an_assessment_are_links_with_a_word(app: Web, people: People) -> None:
    class Assessment:
        id, revision, team, title, recorded, archived_at = 17, 4, "", "Comments <b>", "", None

    template = app.state.context.templates.from_string(
        '{% extends "dossier.html" %}{% block title %}x{% endblock %}{% block content %}here{% endblock %}'
    )

    @app.get("/dossier")
    def dossier(request: Request, db: Db, me: Me) -> Response:
        return page(request, template, assessment=Assessment(), step="data")

    text = people.browser().get("/dossier").text

    assert 'href="/assessments/1/data" aria-current="step"' in text
    assert "Comments &lt;b&gt;" in text
    assert 'href="/assessments/1/train"' not in text, "what cannot be done yet is no link"
    assert "<small>needs an approval</small>" in text
    assert 'class="tag pill soft"' in text


def test_an_address_is_a_path_with_its_values_quoted(app: Web, people: People) -> None:
    seen: list[str] = []

    @app.get("/files/{folder}/{name}", name="file")
    def file(request: Request, folder: str, name: str, me: Me) -> Response:
        seen.append(pages.url_for(request, "file", folder="a/b", name="../c?d#e"))
        with pytest.raises(NoMatchFound):
            pages.url_for(request, "file", folder="a")
        return Response()

    people.browser().get("/files/x/y")

    assert seen == ["/files/a%2Fb/..%2Fc%3Fd%23e"]


def test_imported_macros_know_addresses(app: Web, people: People) -> None:
    env = app.state.context.templates
    macros = env.from_string('{% macro link() %}{{ url_for("account") }}{% endmacro %}')
    template = env.from_string("{% from macros import link %}{{ link() }}")

    @app.get("/macro")
    def macro(request: Request, me: Me) -> Response:
        return page(request, template, macros=macros)

    assert people.browser().get("/macro").text == "/account"
