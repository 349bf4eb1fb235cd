"""A base model in 4 bits: what is measured on it is what is trained, and its adapter scores the same once it is read.

bitsandbytes is not in the lock: where it is not installed, what needs it is skipped with that word, and what the app
does without it is tested.
"""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.baselines.measured_model import MeasuredModel, same_weights
from app.chat import Message
from app.db import utcnow, writing
from app.errors import Conflict
from app.inference import connecting, service
from app.inference.generator import Request
from app.inference.local import LocalModel
from app.inference.tables import ModelRow
from app.training import spec as specs
from tests.support import tiny
from tests.support.factories import Make
from tests.support.learners import RECIPE, rows

HELD = importlib.util.find_spec("bitsandbytes") is not None
needs_bitsandbytes = pytest.mark.skipif(not HELD, reason="bitsandbytes is not installed (the extra qlora)")


def in_files(**more: Any) -> ModelRow:
    return ModelRow(
        name="Tiny", kind="folder", reference="/m/tiny", base_url="", files={"a": "1" * 64}, set_by=1, **more
    )


def test_the_same_files_in_4_bits_are_another_model() -> None:
    whole, held = in_files(), in_files(bits=4)

    assert same_weights(MeasuredModel.of(held), held)
    assert not same_weights(MeasuredModel.of(whole), held)
    assert not MeasuredModel.of(whole).answers_as(held)
    assert MeasuredModel.of(held).part()["bits"] == 4
    assert "bits" not in MeasuredModel.of(whole).part()


def test_what_was_approved_in_4_bits_is_what_is_trained_in_4_bits() -> None:
    part = specs.training_part(RECIPE, "Do it.", "someone/tiny", "", {"a": "1" * 64}, bits=4)
    subject = {"training": part, "dataset": {"rows_sha256": "r", "split_sha256": "s"}}

    assert specs.from_subject(subject).bits == 4
    part["model"]["bits"] = 3
    with pytest.raises(ValueError, match="in 3 bits"):
        specs.from_subject(subject)
    assert "bits" not in specs.training_part(RECIPE, "", "m", "", {})["model"]


def test_without_what_holds_4_bits_it_is_said_what_to_install(make: Make, engine: Engine) -> None:
    admin = make.admin()
    with writing(engine) as session:
        row = in_files(created_by=admin.id, created_at=utcnow())
        session.add(row)
        session.flush()
        if HELD:
            made = connecting.in_4_bits(session, row.id, admin)
            assert (made.bits, made.files, made.name) == (4, row.files, "Tiny, 4-bit")
            with pytest.raises(Conflict, match="there in 4 bits already"):
                connecting.in_4_bits(session, row.id, admin)
        else:
            with pytest.raises(Conflict) as refused:
                connecting.in_4_bits(session, row.id, admin)
            assert refused.value.detail == service.NO_4_BITS


@pytest.mark.torch
@pytest.mark.deep
@needs_bitsandbytes
def test_an_adapter_on_a_base_in_4_bits_scores_the_same_once_it_is_read(
    tiny_model: Path, tmp_path: Path, torch_here: None
) -> None:
    from app.inference import loading
    from app.training import fits, lora

    whole = loading.load(tiny_model, None, "float32", attention="eager")
    made = rows(whole, 12)
    foretold = fits.base_bytes_in_4_bits(lora.Learner(whole, RECIPE, made, made[:4]))
    loaded = loading.load(tiny_model, None, "float32", attention="eager", bits=4)
    learner = lora.Learner(loaded, replace(RECIPE, epochs=6), made, made[:4])
    assert fits.base_bytes(learner) == pytest.approx(foretold, rel=0.05)
    steps = list(learner.run(0))
    assert steps[-1].loss < steps[0].loss - 0.1
    loss = sum(part for part, _ in learner.dev_losses())
    learner.save(tmp_path)
    folder = tmp_path / "adapter"
    folder.mkdir()
    learner.export(folder, tmp_path / "masters.safetensors", "someone/tiny", None)

    again = loading.adapted(loading.load(tiny_model, None, "float32", attention="eager", bits=4), folder)
    learner.model, learner.inner = again.model, again.model.get_base_model()
    assert sum(part for part, _ in learner.dev_losses()) == pytest.approx(loss, rel=1e-6)
    assert json.loads((folder / "adapter_config.json").read_text())["base_model_name_or_path"] == "someone/tiny"


@pytest.mark.torch
@pytest.mark.skipif(HELD, reason="bitsandbytes is installed")
def test_a_model_in_4_bits_is_not_loaded_in_16_instead(tiny_model: Path, torch_here: None) -> None:
    from app.inference import devices, loading

    with pytest.raises(devices.NotThere, match="bitsandbytes, which is not installed"):
        loading.load(tiny_model, None, "float32", bits=4)


@pytest.mark.torch
@pytest.mark.deep
@needs_bitsandbytes
def test_baselines_are_asked_of_the_base_in_4_bits(tiny_model: Path) -> None:
    asked = Request("1", (Message("user", tiny.text(1)),), 8, choices=("alpha", "beta"))
    found = []
    for bits in (4, None):
        with LocalModel(tiny_model, threads=1, dtype="float32", bits=bits) as model:
            info = model.info()
            answer = next(iter(model.answer([asked], lambda: False)))
        assert info
        assert answer.chances
        found.append((info.parameters, answer.chances["alpha"]))

    assert found[0][0] == found[1][0]
    assert found[0][1] == pytest.approx(found[1][1], abs=0.2)
    assert found[0][1] != pytest.approx(found[1][1], abs=1e-5)
