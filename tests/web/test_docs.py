"""The page of the API description."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.web.files import Files
from app.web.security import POLICY, Web
from tests.support.small_app import BASE, People


def test_the_description_is_drawn_by_our_own_files_under_the_same_policy(people: People) -> None:
    page = people.browser().get("/docs")

    assert page.status_code == 200
    assert page.headers["content-security-policy"].replace(" data:", "") == POLICY, "icons, and nothing else"
    assert 'data-url="/openapi.json"' in page.text
    assert "://" not in page.text, "nothing from elsewhere"


def test_a_stranger_signs_in_first(app: Web) -> None:
    with TestClient(app, base_url=BASE, follow_redirects=False) as stranger:
        answer = stranger.get("/docs", headers={"accept": "text/html"})

    assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/sign-in")


@pytest.mark.parametrize("name", ["swagger-ui.js", "swagger-ui.css"])
def test_without_the_package_the_rest_is_served(tmp_path: Path, name: str) -> None:
    files = Files(tmp_path)

    assert not files.has(name)
    assert files.has("app.js")
