"""Rows that come and go in a pool say what each says alone, and a model that a pool doesn't fit is noticed."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.chat import Message
from app.inference.generator import Request
from app.inference.local_protocol import asked as as_asked
from tests.support.local_asking import TOLD, ask, naive

pytestmark = pytest.mark.torch


def texts(loaded: Any, requests: list[Request]) -> dict[str, str]:
    from app.inference import local_child

    answers = local_child.answer(loaded, [as_asked(request) for request in requests], threading.Event())
    return {str(answer["id"]): str(answer["text"]) for answer in answers}


def mixed() -> list[Request]:
    """Rows of many lengths, and of much and little room; the last ones far shorter than the first."""
    requests = [replace(request, max_tokens=3 + 7 * (n % 5)) for n, request in enumerate(ask(14, TOLD))]
    return [*requests, *(replace(request, id=f"short {request.id}", max_tokens=2) for request in ask(3, TOLD))]


def test_rows_come_and_go_and_say_what_each_says_alone(
    tiny_model: Path, torch_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.inference import decoding, loading, packed, pool

    requests = mixed()
    loaded = loading.load(tiny_model, None, "float32")
    made, joined = [], []
    real = pool.Pool.join

    def join(self: Any, prompts: Any) -> Any:
        made.append(self)
        joined.append((len(self.lengths), len(prompts)))
        return real(self, prompts)

    monkeypatch.setattr(pool.Pool, "join", join)
    monkeypatch.setattr(decoding, "ROWS", 4)
    monkeypatch.setattr(pool, "GROWTH", 1)
    said = texts(loaded, requests)

    assert said == naive(tiny_model, requests)
    assert any(under_way and came for under_way, came in joined[1:])  # while others were under way
    assert max(under_way + came for under_way, came in joined) <= 4
    monkeypatch.setattr(packed, "quicker", lambda: True)
    assert packed.pack(loaded.model)
    assert {type(layer) for layer in loaded.model.modules() if "Linear" in type(layer).__name__} == {packed.Linear}
    assert texts(loaded, requests) == said


def test_one_row_with_another_beginning_takes_it_from_no_other(
    tiny_model: Path, torch_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.inference import loading, pool, rows

    other = Message("system", "Say nothing but what the house has said before, in as few words as it can be done.")
    requests = [*ask(6, TOLD), *(replace(request, id=f"other {request.id}") for request in ask(2, other))]
    loaded = loading.load(tiny_model, None, "float32")
    shared = []
    real = pool.beginning

    def beginning(loaded: Any, ids: Any) -> Any:
        shared.append(len(ids))
        return real(loaded, ids)

    monkeypatch.setattr(pool, "beginning", beginning)
    monkeypatch.setattr(rows, "SAVES", 100)
    said = texts(loaded, requests)

    assert said == naive(tiny_model, requests)
    assert len([size for size in shared if size > 20]) == 2
    monkeypatch.setattr(rows, "SAVES", 1_000_000)
    shared.clear()
    assert texts(loaded, requests) == said
    assert max(shared) < 20


def test_an_adapter_says_the_same_with_its_models_weights_laid_out(
    tiny_model: Path, torch_here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from app.inference import loading, packed, pool

    loaded = loading.load(tiny_model, None, "float32")
    requests, alone = ask(5), texts(loaded, ask(5))
    torch.manual_seed(1)
    with loading.quiet():
        config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False)
        adapted = replace(loaded, model=get_peft_model(loaded.model, config).eval())
    said = texts(adapted, requests)
    monkeypatch.setattr(packed, "quicker", lambda: True)

    assert packed.pack(adapted.model)
    assert said != alone
    assert pool.fits(adapted, list(range(5, 25)))
    assert texts(adapted, requests) == said


@pytest.mark.parametrize("odd", ["asks for a bias", "mixes tokens"])
def test_a_model_with_another_attention_is_decoded_by_the_librarys_own_means(
    tiny_model: Path, torch_here: None, odd: str
) -> None:
    import torch

    from app.inference import loading, pool

    def asks(_: Any, args: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        return args, {**options, "position_bias": torch.zeros(1, 1, 1, 1)}

    def mixes(_: Any, args: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        hidden = options["hidden_states"]
        return args, {**options, "hidden_states": hidden + hidden.mean(1, keepdim=True)}

    plain, other = (loading.load(tiny_model, None, "float32") for _ in range(2))
    requests, ids = ask(4), list(range(5, 25))
    for layer in other.model.model.layers:
        layer.self_attn.register_forward_pre_hook(asks if odd == "asks for a bias" else mixes, with_kwargs=True)
    said = texts(other, requests)

    assert pool.fits(plain, ids)
    assert not pool.fits(other, ids)
    assert other.model.config._attn_implementation == "sdpa"  # as it was
    assert said.keys() == {request.id for request in requests}
    if odd == "asks for a bias":
        assert said == texts(plain, requests)
