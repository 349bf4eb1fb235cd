"""An adapter tried by hand: both sides really answer, differ where they do, and nothing of it is kept."""

import importlib.util
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select, update

from app.assessments.tables import AssessmentRow
from app.datasets.tables import ExampleRow
from app.db import reading, utcnow, writing
from app.inference import service
from app.inference.local import LocalModel
from app.inference.tables import ModelRow
from app.serving.tables import ServedCallRow
from app.training.tables import TrainingRow

pytestmark = pytest.mark.torch
HELD = importlib.util.find_spec("bitsandbytes") is not None


def test_both_answer_as_they_do_alone_and_nothing_is_kept(
    client: TestClient, engine: Engine, here: Path, real: tuple[Path, Path]
) -> None:
    answered = client.post("/api/v1/trainings/1/try", json={"question": "alpha beta gamma"})
    page = client.post("/trainings/1/try", data={"question": "alpha beta gamma"})

    assert answered.status_code == 200, answered.text
    told = answered.json()
    assert told["base"]["prompt_tokens"] > 0
    assert told["base"]["completion_tokens"] == 8
    assert told["base"]["text"] != told["adapter"]["text"]
    assert (told["same"], told["computed_on"]) == (False, "CPU")
    assert "Computed on CPU" in page.text
    # The base's answer is that of a process that never saw an adapter.
    trial = client.get("/api/v1/trainings/1/try").json()
    assert trial["against"] == ""
    assert told["base"]["text"].split()[0] in page.text
    assert '<mark class="apart">' in page.text
    assert trial["base_instructions"] in page.text
    with reading(engine) as session:
        assert session.scalar(select(func.count()).select_from(ServedCallRow)) == 0


@pytest.mark.skipif(HELD, reason="bitsandbytes is installed")
def test_a_base_in_4_bits_is_not_asked_in_16_instead(client: TestClient, engine: Engine, here: Path) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).values(bits=4))
    answered = client.post("/api/v1/trainings/1/try", json={"question": "alpha beta gamma"})

    assert answered.status_code == 409
    assert answered.json()["detail"] == service.NO_4_BITS
    assert service.NO_4_BITS in client.get("/trainings/1/try").text


@pytest.mark.deep
@pytest.mark.skipif(not HELD, reason="bitsandbytes is not installed (the extra qlora)")
def test_a_base_in_4_bits_is_asked_as_it_was_measured(client: TestClient, engine: Engine, here: Path) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).values(bits=4))
    answered = client.post("/api/v1/trainings/1/try", json={"question": "alpha beta gamma"})

    assert answered.status_code == 200, answered.text


@pytest.mark.deep
def test_without_its_adapter_a_model_is_exactly_its_base(real: tuple[Path, Path]) -> None:
    from app.chat import Message
    from app.inference.followed import Followed, FollowedModel
    from app.inference.generator import Answer, Request

    request = Request("1", (Message("user", "alpha beta gamma"),), 8)
    with FollowedModel(real[0], real[1], 1, "float32") as adapted:
        asked = [Followed(Request(name, request.messages, 8), bare=bare) for name, bare in (("a", False), ("b", True))]
        both = {e.id: e.text for e in adapted.follow(asked, list, lambda: False) if isinstance(e, Answer)}
        again = [e.text for e in adapted.follow(asked[:1], list, lambda: False) if isinstance(e, Answer)]
    with LocalModel(real[0], None, 1, "float32") as base:
        [alone] = [answer.text for answer in base.answer([request], lambda: False)]

    assert both["b"] == alone
    assert both["a"] != alone
    assert again == [both["a"]]


def test_dev_questions_are_offered_and_no_test_row(client: TestClient, engine: Engine, here: Path) -> None:
    offered = client.get("/api/v1/trainings/1/try").json()["examples"]
    with reading(engine) as session:
        splits = session.scalars(
            select(ExampleRow.split).where(ExampleRow.id.in_([one["example_id"] for one in offered]))
        ).all()
    page = client.get("/trainings/1/try", params={"row": offered[0]["example_id"]}).text

    assert len(offered) == 5
    assert set(splits) == {"dev"}
    assert f">\n{offered[0]['question']}</textarea>" in page


@pytest.mark.parametrize(("question", "words"), [("  ", "Type a question"), ("x" * 8_001, "8,001 characters")])
def test_what_cannot_be_asked_stays_in_the_form(client: TestClient, here: Path, question: str, words: str) -> None:
    refused = client.post("/trainings/1/try", data={"question": question})

    assert refused.status_code == 422
    assert words in refused.text
    assert question.strip() in refused.text


def test_files_that_are_gone_are_said_and_nothing_is_started(client: TestClient, here: Path) -> None:
    (here / "model.safetensors").unlink()
    page, refused = client.get("/trainings/1/try"), client.post("/trainings/1/try", data={"question": "alpha"})

    assert "are gone" in page.text
    assert "Ask both" not in page.text
    assert refused.status_code == 409
    assert client.post("/api/v1/trainings/1/try", json={"question": "alpha"}).status_code == 409


def test_documents_that_changed_and_a_retired_base_are_said(client: TestClient, engine: Engine, here: Path) -> None:
    with writing(engine) as session:
        session.execute(update(ModelRow).values(retired_at=utcnow()))
    assert "is retired" in client.get("/api/v1/trainings/1/try").json()["against"]
    with writing(engine) as session:
        session.execute(update(AssessmentRow).values(recorded="example"))
    assert "its adapter is not here" in client.get("/trainings/1/try").text


def test_a_run_without_an_adapter_has_nothing_to_try(client: TestClient, engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(TrainingRow).values(arm_id=None))

    assert client.get("/trainings/1/try").status_code == 409
