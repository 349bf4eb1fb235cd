"""Model connections through the pages."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.audit.tables import EntryRow
from app.db import reading, writing
from app.inference import connecting, embedding, service, store
from app.inference.generator import Unusable
from app.inference.tables import ModelRow
from app.jobs import store as job_store
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.model_server import ModelServer, Raw, serving

People = Callable[[UserRow], TestClient]
KEY = "sk-a-very-secret-key-7f3a"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The loopback is listed, as an operator would for a server of their own."""
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",)})


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(lambda _: "ready") as made:
        yield made


@pytest.fixture
def admin(people: People, make: Make) -> TestClient:
    return people(make.admin())


@pytest.fixture
def author(people: People, make: Make) -> TestClient:
    return people(make.author())


def form(server: ModelServer, **different: str) -> dict[str, str]:
    return {"name": "Team server", "base_url": server.url, "model": "loopback-1", "key": KEY, **different}


def connected(admin: TestClient, engine: Engine, server: ModelServer, **different: str) -> ModelRow:
    answered = admin.post("/models/endpoints", data=form(server, **different))
    assert answered.status_code == 303, answered.text
    with reading(engine) as session:
        found = store.find_named(session, different.get("name", "Team server"))
        assert found is not None
        return found


def test_the_embedded_model_is_there_by_itself(author: TestClient) -> None:
    for _ in range(2):
        assert author.get("/models").text.count("SmolLM2-135M-Instruct (embedded)") == 1


def test_a_key_is_stored_sealed_and_never_shown(
    admin: TestClient, engine: Engine, server: ModelServer, settings: Settings
) -> None:
    row = connected(admin, engine, server)

    shown = admin.get(f"/models/{row.id}").text + admin.get("/models").text + admin.get(f"/api/v1/models/{row.id}").text
    assert KEY not in shown
    assert "7f3a" in shown
    assert row.key_sealed is not None
    assert KEY not in row.key_sealed
    assert KEY.encode() not in (settings.data / "tunegate.db").read_bytes()
    with reading(engine) as session:
        entry = session.query(EntryRow).filter_by(act="model.add").one()
        assert KEY not in str(entry.detail)
        assert entry.detail["key_set"] is True


def test_the_key_goes_to_its_own_server_only(admin: TestClient, engine: Engine, server: ModelServer) -> None:
    row = connected(admin, engine, server)

    page = admin.get(f"/models/{row.id}")

    assert "<b>Ready.</b>" in page.text
    assert [call.path for call in server.calls] == ["/v1/chat/completions", "/v1/models"]
    assert {call.headers["authorization"] for call in server.calls} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("moved", ["/v1/", "/v2", "/v1/elsewhere", ":1/v1"])
def test_changing_the_address_in_any_part_drops_the_key(
    admin: TestClient, engine: Engine, server: ModelServer, moved: str
) -> None:
    row = connected(admin, engine, server)
    base = server.url.removesuffix("/v1") if not moved.startswith(":") else "http://127.0.0.1"

    admin.post(f"/models/{row.id}", data=form(server, base_url=base + moved, key=""))

    with reading(engine) as session:
        after = store.get(session, row.id)
    kept = moved == "/v1/"  # the same address, written with a slash at its end
    assert (after.key_sealed is not None) is kept
    if not kept:
        asked = len(server.calls)
        admin.post(f"/models/{row.id}/test")
        assert all("authorization" not in call.headers for call in server.calls[asked:])


def test_an_empty_key_field_keeps_the_key_and_a_button_drops_it(
    admin: TestClient, engine: Engine, server: ModelServer
) -> None:
    row = connected(admin, engine, server)

    admin.post(f"/models/{row.id}", data=form(server, key="", name="Renamed"))
    with reading(engine) as session:
        assert store.get(session, row.id).key_last4 == "7f3a"
        assert store.get(session, row.id).name == "Renamed"
    admin.post(f"/models/{row.id}/drop-key")
    with reading(engine) as session:
        assert store.get(session, row.id).key_sealed is None


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"base_url": "http://user:pass@models.example.org/v1"}, "no user name"),
        ({"base_url": "http://127.1/v1"}, "four numbers"),
        ({"base_url": "ftp://models.example.org"}, "http or https"),
        ({"name": " "}, "Give it a name"),
        ({"name": "SmolLM2-135M-Instruct (embedded)"}, "of this name already"),
        ({"model": ""}, "exactly as the server knows it"),
        ({"key": "two words"}, "one word"),
        ({"context_window": "12"}, "from 256"),
        ({"context_window": "many"}, "from 256"),
    ],
)
def test_a_connection_that_cannot_be_used_comes_back_as_it_was(
    admin: TestClient, server: ModelServer, different: dict[str, str], reason: str
) -> None:
    answered = admin.post("/models/endpoints", data=form(server, **different))

    assert answered.status_code == 422
    assert reason in answered.text
    assert KEY not in answered.text


def test_a_test_says_what_is_wrong(admin: TestClient, engine: Engine, server: ModelServer) -> None:
    row = connected(admin, engine, server)
    server.reply = lambda _: Raw(b'{"error": {"message": "<b>no such key</b>"}}', status=401)

    answered = admin.post(f"/models/{row.id}/test")

    assert answered.status_code == 303
    page = admin.get(answered.headers["location"])
    assert "does not accept the key" in page.text
    assert "<b>no such key" not in page.text


def state(engine: Engine, model: ModelRow) -> str:
    with reading(engine) as session:
        return service.state(session, store.get(session, model.id))[0]


def test_saving_tests_the_connection_and_keeps_one_that_fails(
    admin: TestClient, author: TestClient, engine: Engine, server: ModelServer
) -> None:
    fine = connected(admin, engine, server)
    server.reply = lambda _: Raw(b'{"error": {"message": "no such model"}}', status=404)
    dead = connected(admin, engine, server, name="Other", model="gone-1")

    assert (state(engine, fine), state(engine, dead)) == ("ready", "failing")
    listed = author.get("/models").text
    assert "knows no model “gone-1”" in listed
    told = author.get(f"/api/v1/models/{dead.id}").json()
    assert told["state"] == "failing"
    assert "gone-1" in told["tested"]["error"]


def test_the_names_that_a_server_lists_are_offered(admin: TestClient, engine: Engine, server: ModelServer) -> None:
    server.lists = ["small-1", "large-2", "<b>bold</b>", 7, "x" * 500, KEY]
    server.reply = lambda body: "ready" if body["model"] == "large-2" else Raw(b"{}", status=404)
    row = connected(admin, engine, server, model="unknown")

    page = admin.get(f"/models/{row.id}").text
    assert "The server lists 3 models" in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert KEY not in page
    assert admin.post(f"/models/{row.id}/use", data={"model": "large-2"}).status_code == 303
    assert state(engine, row) == "ready"


def test_names_are_offered_before_anything_is_saved(
    admin: TestClient, author: TestClient, engine: Engine, server: ModelServer
) -> None:
    server.lists = ["small-1", "large-2"]
    part = admin.post("/models/names", data=form(server, model=""), headers={"HX-Request": "true"})
    whole = admin.post("/models/names", data=form(server, model=""))
    refused = admin.post("/models/names", data=form(server, base_url="ftp://nowhere"))

    assert '<option value="large-2">' in part.text
    assert "<html" not in part.text
    assert '<option value="large-2">' in whole.text
    assert f'value="{server.url}"' in whole.text
    assert KEY not in part.text + whole.text
    assert "http or https" in refused.text
    assert author.post("/models/names", data=form(server)).status_code == 403
    with reading(engine) as session:
        assert store.find_named(session, "Team server") is None


def test_a_server_that_may_not_be_asked_for_names_is_not_said_to_have_none(
    admin: TestClient, server: ModelServer
) -> None:
    part = admin.post("/models/names", data=form(server, base_url="http://10.1.2.3/v1"), headers={"HX-Request": "true"})

    assert "not a public address" in part.text
    assert "TUNEGATE_ALLOWED_HOSTS=10.1.2.3" in part.text
    assert "lists no models" not in part.text
    assert KEY not in part.text


def test_a_changed_connection_is_tested_again_and_a_changed_name_is_not(
    admin: TestClient, engine: Engine, server: ModelServer
) -> None:
    row = connected(admin, engine, server)
    asked = len(server.calls)

    admin.post(f"/models/{row.id}", data=form(server, key="", name="Renamed"))
    assert len(server.calls) == asked
    server.reply = lambda _: Raw(b"{}", status=401)
    admin.post(f"/models/{row.id}", data=form(server, name="Renamed", key="sk-another-key-0001"))

    assert len(server.calls) > asked
    assert state(engine, row) == "failing"


def test_a_test_of_an_older_connection_is_not_kept(
    engine: Engine, settings: Settings, make: Make, server: ModelServer
) -> None:
    """Somebody changes the model while the server is asked: what it answered was for another name."""
    row = make.model(kind="endpoint", base_url=server.url, reference="before", files={})

    def changing(_: object) -> str:
        with writing(engine) as session:
            store.get(session, row.id).reference = "after"
        return "ready"

    server.reply = changing
    tried = connecting.test(engine, settings, row.id)

    assert tried.fine
    assert state(engine, row) == "untested"


def test_while_others_test_a_new_connection_is_saved_untested(
    admin: TestClient, engine: Engine, server: ModelServer, web: TestClient
) -> None:
    turns = web.app.state.context.model_tests  # type: ignore[attr-defined]
    with ExitStack() as taken:
        for person in range(turns.together):
            taken.enter_context(turns.take(1000 + person))
        row = connected(admin, engine, server)

    assert state(engine, row) == "untested"
    assert server.calls == []
    assert "Not tested yet" in admin.get(f"/models/{row.id}").text


def test_how_a_run_met_a_server_is_its_state(engine: Engine, make: Make) -> None:
    row = make.model(kind="endpoint", base_url="https://models.example.org/v1", reference="m", files={})
    states = []
    for error in ("The model server could not be had.", "", ""):
        with writing(engine) as session:
            service.note_run(session, row, error)
        states.append(state(engine, row))
    with writing(engine) as session:
        store.get(session, row.id).base_url = "https://other.example.org/v1"
        service.note_run(session, row, "of another address")

    assert states == ["failing", "ready", "ready"]
    assert state(engine, row) == "ready"


def test_a_private_address_is_saved_but_never_called_unless_it_is_listed(
    make: Make, settings: Settings, server: ModelServer
) -> None:
    row = make.model(kind="endpoint", base_url=server.url, reference="m", files={})

    answer = service.try_out(settings.model_copy(update={"allowed_hosts": ()}), row).answer

    assert answer.error is not None
    assert "TUNEGATE_ALLOWED_HOSTS" in answer.error
    assert server.calls == []


def test_a_retired_model_leaves_the_lists_and_its_key_is_gone(
    admin: TestClient, engine: Engine, server: ModelServer
) -> None:
    row = connected(admin, engine, server)

    assert admin.post(f"/models/{row.id}/retire").status_code == 303

    with reading(engine) as session:
        after = store.get(session, row.id)
        assert after.key_sealed is None
        assert after.id not in [model.id for model in store.usable(session)]
    assert admin.post(f"/models/{row.id}/retire").status_code == 409
    assert admin.post("/models/1/retire").status_code in (303, 409)


def test_the_embedded_model_stays(admin: TestClient, engine: Engine) -> None:
    admin.get("/models")
    with reading(engine) as session:
        bundled = store.bundled(session)
        assert bundled is not None

    assert admin.post(f"/models/{bundled.id}/retire").status_code == 409


@pytest.mark.parametrize(
    "path", ["HuggingFaceTB/SmolLM2-135M", "models/x", "../etc", "/etc", "/nowhere/at/all", "", "/srv/\x00"]
)
def test_a_path_that_is_no_model_folder_is_refused(admin: TestClient, path: str) -> None:
    answered = admin.post("/models/folders", data={"name": "Folder", "path": path})

    assert answered.status_code == 422


def test_a_hub_name_is_refused_with_the_way_round(admin: TestClient) -> None:
    answered = admin.post("/models/folders", data={"name": "Folder", "path": "HuggingFaceTB/SmolLM2-135M"})

    assert "download the folder yourself" in answered.text


def test_preparing_is_a_job(author: TestClient, engine: Engine) -> None:
    author.get("/models")
    with reading(engine) as session:
        bundled = store.bundled(session)
        assert bundled is not None

    assert author.post(f"/models/{bundled.id}/prepare").status_code == 303
    assert author.post(f"/models/{bundled.id}/prepare").status_code == 409
    with reading(engine) as session:
        job = job_store.latest(session, "convert", bundled.id)
        assert job is not None
    assert "preparing" in author.get("/models").text


def test_only_admins_connect_change_and_retire(
    author: TestClient, people: People, make: Make, engine: Engine, admin: TestClient, server: ModelServer
) -> None:
    row = connected(admin, engine, server)
    reviewer = people(make.reviewer())
    for client in (author, reviewer):
        assert client.post("/models/endpoints", data=form(server, name="Mine")).status_code == 403
        assert client.post("/models/folders", data={"name": "Mine", "path": "/etc"}).status_code == 403
        for action in ("", "/retire", "/drop-key"):
            assert client.post(f"/models/{row.id}{action}", data=form(server, key="")).status_code == 403
        assert "Connect a model server" not in client.get("/models").text
    with reading(engine) as session:
        assert store.get(session, row.id).key_last4 == "7f3a"


def test_the_service_itself_lets_nobody_else_in(make: Make, engine: Engine, settings: Settings) -> None:
    from app.errors import Forbidden

    wanted = connecting.Connection("Mine", "https://a.org/v1", "m", key="sk-secret")
    assert "secret" not in repr(wanted)
    for person in (make.author(), make.reviewer()):
        with pytest.raises(Forbidden), writing(engine) as session:
            connecting.add_endpoint(session, settings, wanted, by=person)


def test_strangers_see_nothing(web: TestClient) -> None:
    assert web.get("/models").status_code in (303, 401)
    assert web.get("/api/v1/models").status_code == 401


def test_the_api_forbids_fields_it_does_not_know(admin: TestClient, engine: Engine, server: ModelServer) -> None:
    made = admin.post("/api/v1/models/endpoints", json=form(server))
    refused = admin.patch(f"/api/v1/models/{made.json()['id']}", json={"headers": {"x": "y"}})
    moved = admin.patch(f"/api/v1/models/{made.json()['id']}", json={"base_url": f"{server.url}2"})
    tested = admin.post(f"/api/v1/models/{made.json()['id']}/test").json()
    gone = admin.delete(f"/api/v1/models/{made.json()['id']}")

    assert made.status_code == 201
    assert made.json()["key_set"] is True
    assert KEY not in made.text
    assert refused.status_code == 422
    assert moved.json()["key_set"] is False
    assert tested["fine"] is True
    assert "authorization" not in server.calls[-1].headers
    assert gone.json()["state"] == "retired"


def test_a_server_for_embeddings_is_tested_as_one_and_answers_nothing(
    admin: TestClient, engine: Engine, settings: Settings
) -> None:
    """It is connected with that purpose, tested with texts, and offered to no measurement."""

    def reply(body: dict[str, Any]) -> Raw:
        rows = [[1.0, 0.2 * at, float(text.startswith("Bananas"))] for at, text in enumerate(body["input"])]
        data = [{"index": at, "embedding": row} for at, row in enumerate(rows)]
        return Raw(json.dumps({"data": data, "model": "embed-1"}).encode())

    with serving(reply) as server:
        row = connected(admin, engine, server, name="Vectors", model="embed-1", purpose="embeddings")
        page = admin.get(f"/models/{row.id}").text
        api = admin.get(f"/api/v1/models/{row.id}").json()
        paths = [call.path for call in server.calls]
        model = embedding.embedder(settings, f"endpoint:{row.id}", row)
        dimensions = model.dimensions
        model.close()
    wrong = admin.post("/models/endpoints", data=form(server, name="Neither", purpose="training"))
    answers = connected(admin, engine, server, name="Gone")

    assert paths == ["/v1/embeddings", "/v1/models"]
    assert "<b>Ready.</b>" in page
    assert "Vectors of 3 numbers." in page
    assert (api["purpose"], api["state"], api["tested"]["remarks"]) == ("embeddings", "ready", [])
    assert dimensions == 3
    with reading(engine) as session:
        assert row.id not in {model.id for model in store.usable(session)}
        assert [model.id for model in store.for_embeddings(session)] == [row.id]
        entry = session.query(EntryRow).filter_by(act="model.add").order_by(EntryRow.id).first()
        assert entry is not None
        assert entry.detail["purpose"] == "embeddings"
    with pytest.raises(Unusable, match="answers nothing"):
        service.generator(settings, row)
    with pytest.raises(Unusable, match="not connected for embeddings"):
        embedding.embedder(settings, f"endpoint:{answers.id}", answers)
    assert wrong.status_code == 422
