"""Fewer routers are tried for an address, and never one too few."""

import re

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from app.web.shortlist import Shortlist
from tests.support.ready import ready


def test_every_route_is_still_found(settings: Settings) -> None:
    app = ready(create_app, settings)
    shortlist = Shortlist(app.router)
    tried, more = [], 0
    for route in app.router.routes:
        for context in iter_route_contexts([route]):
            assert context.path is not None
            more += 1
            address = re.sub(r"{\w+(:path)?}", lambda found: "7/x" if found[1] else "7", context.path)
            for written in (address, f"{address}/", f"{address}\n"):
                routes = shortlist.routes_for(written)
                ids = {id(one) for one in routes}
                assert id(route) in ids, written
                assert [one for one in app.router.routes if id(one) in ids] == routes  # in the same order
                tried.append(len(routes))
    assert more > 400
    assert sum(tried) / len(tried) < 3
    app.state.context.engine.dispose()


def _app() -> FastAPI:
    app, word, tail = FastAPI(), APIRouter(), APIRouter()

    @word.get("/things/{name}")
    def word_thing(name: str) -> str:
        return f"thing {name}"

    @tail.get("/things/{name}/{rest:path}")
    def tail_thing(name: str, rest: str) -> str:
        return f"{rest} of {name}"

    app.include_router(word)
    app.include_router(tail, prefix="/more")
    app.router.middleware_stack = Shortlist(app.router)
    return app


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("/things/one", (200, '"thing one"')),
        ("/more/things/one/two/three", (200, '"two/three of one"')),
        ("/more/things/one/", (200, '" of one"')),
        ("/things/one/", (307, "")),  # on to the same without a stroke
        ("/nothing", (404, '{"detail":"Not Found"}')),
        ("/things", (404, '{"detail":"Not Found"}')),
    ],
)
def test_it_answers_as_without(address: str, answer: tuple[int, str]) -> None:
    given = TestClient(_app(), follow_redirects=False).get(address)

    assert (given.status_code, given.text) == answer


def test_a_route_that_comes_later_is_found() -> None:
    app = _app()
    client = TestClient(app)
    assert client.get("/later").status_code == 404

    @app.get("/later")
    def later() -> str:
        return "here"

    assert client.get("/later").text == '"here"'
    assert client.post("/later").status_code == 405
