"""The style sheet and scripts."""

import logging
from pathlib import Path

import pytest

from app.web.files import BORROWED, OWN, Files
from app.web.security import Web
from tests.support.small_app import People


def test_a_file_is_kept_for_a_year_under_its_own_name(app: Web, people: People) -> None:
    url = app.state.context.files.url("app.css")
    answer = people.anonymous().get(url)

    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.content == (OWN / "app.css").read_bytes()


def test_an_old_name_still_answers_but_is_not_kept(people: People) -> None:
    assert people.anonymous().get("/static/old/app.css").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "name", ["..", "../../settings.py", "%2e%2e/settings.py", "app.css/..", "settings.py", ".", "a" * 5000]
)
def test_no_request_becomes_a_path(people: People, name: str) -> None:
    assert people.anonymous().get(f"/static/1/{name}").status_code == 404


def test_without_htmx_pages_work_and_the_log_says_what_to_type(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        files = Files(tmp_path)

    assert not files.has("htmx.js")
    assert files.has("app.css")
    assert "make assets" in caplog.text


def test_htmx_is_served_where_it_is_installed(tmp_path: Path) -> None:
    for name, path in BORROWED.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(name)

    files = Files(tmp_path)

    assert files.get("htmx.js").body == b"htmx.js"
    assert files.url("htmx.js") != files.url("htmx-sse.js")


def test_our_own_script_stays_small() -> None:
    assert len((OWN / "app.js").read_bytes()) < 3200  # 700 of it for lists by days
    assert len((OWN / "upload.js").read_bytes()) < 7000  # only where one uploads; 900 of it for dropped folders


def test_no_template_holds_a_style_or_a_handler() -> None:
    """The content policy would refuse them in the browser, where nobody may be looking."""
    for path in (OWN.parents[2] / "templates").rglob("*.html"):
        text = path.read_text()
        for forbidden in (" style=", "<style", " onclick=", " onchange=", " onload=", "javascript:", "hx-on", "|safe"):
            assert forbidden not in text, f"{forbidden} in {path.name}"
