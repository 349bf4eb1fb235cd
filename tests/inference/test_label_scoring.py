"""Scoring labels: what a plain forward pass says of each, whatever is shared, packed or padded."""

import threading
from pathlib import Path
from typing import Any

import pytest

from app.chat import Message
from app.inference.generator import Request
from app.inference.local_protocol import asked as as_asked
from tests.support import tiny

pytestmark = pytest.mark.torch

TOLD = Message(
    "system", "Sort the question. Answer with one of the known names, exactly as it is written, and no more."
)
LABELS = ("alpha", "alpha beta", "alpha beta gamma delta", "omega", "omega kappa", "zeta?", "", "alphabet")


def requests(count: int, *, told: bool = True) -> list[Request]:
    lead = (TOLD,) if told else ()
    return [
        Request(f"row {n}", (*lead, Message("user", tiny.text(n) * (n + 1))), 8, None, LABELS) for n in range(count)
    ]


def answers(loaded: Any, asked: list[Request]) -> dict[str, Any]:
    from app.inference import local_child

    return {
        str(each["id"]): each
        for each in local_child.answer(loaded, [as_asked(request) for request in asked], threading.Event())
    }


def reference(loaded: Any, request: Request) -> list[float]:
    """One label after the other, one forward pass each over the whole text: sums of log-probabilities, as shares."""
    import torch

    from app.inference import tokens

    logs = []
    for label in LABELS:
        row = tokens.training_row(loaded.tokenizer, request.messages, label)
        ids = [*row.prompt, *row.completion]
        with torch.inference_mode():
            steps = torch.log_softmax(loaded.model(input_ids=torch.tensor([ids])).logits[0].double(), -1)
        at = range(len(row.prompt) - 1, len(ids) - 1)
        logs.append(sum(float(steps[place, ids[place + 1]]) for place in at))
    shares: list[float] = torch.tensor(logs).double().softmax(-1).tolist()
    return shares


@pytest.fixture(scope="module")
def loaded(tiny_model: Path, torch_here: None) -> Any:
    """With an output that prefers some tokens, or all labels of a length would be as likely as each other."""
    import torch

    from app.inference import loading

    model = loading.load(tiny_model, None, "float32")
    torch.manual_seed(3)
    with torch.no_grad():
        model.model.lm_head.weight.mul_(25)
    return model


@pytest.mark.parametrize("told", [True, False], ids=["a shared beginning", "nothing shared"])
def test_chances_are_those_of_a_plain_forward_pass(loaded: Any, told: bool) -> None:
    """Rows of unequal length in one batch; labels that others begin with, one of nothing."""
    asked = requests(7, told=told)
    found = answers(loaded, asked)

    assert found.keys() == {request.id for request in asked}
    for request in asked:
        wanted = reference(loaded, request)
        got = found[request.id]
        assert got["error"] is None
        assert list(got["chances"].values()) == pytest.approx(wanted, rel=1e-3, abs=1e-6)
        assert got["text"] == LABELS[wanted.index(max(wanted))]
        assert sum(got["chances"].values()) == pytest.approx(1)
        assert max(wanted) - min(wanted) > 0.2  # else any order would pass


def test_a_model_that_a_tree_does_not_fit_is_asked_label_by_label(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A window over the last tokens makes the cache and the mask of a tree mean something else."""
    asked = requests(3)
    whole = answers(loaded, asked)
    monkeypatch.setattr(loaded.model.config, "sliding_window", 4096, raising=False)
    written = answers(loaded, asked)

    assert not loaded.plain_cache
    for name, each in written.items():
        assert each["chances"] == pytest.approx(whole[name]["chances"], rel=1e-3, abs=1e-6)


def test_a_tree_that_computes_something_else_is_noticed(loaded: Any) -> None:
    from app.inference import label_scoring, tokens

    prompt = tokens.prompt_ids(loaded.tokenizer, requests(1)[0].messages)
    good = label_scoring.tree(loaded, requests(1)[0].messages, LABELS)
    bad = label_scoring.Tree(tuple(reversed(good.nodes)), good.parents, good.paths, good.ends)
    written = label_scoring.plain(loaded, good, prompt, [2], 1)

    assert label_scoring.tree_fits(loaded, good, prompt)
    assert (label_scoring.log_chances(loaded, bad, [prompt])[0, 2] - written).abs() > label_scoring.SAME


def test_what_does_not_fit_and_what_is_stopped(loaded: Any) -> None:
    from app.inference import local_child

    long = Request("long", (Message("user", "alpha " * 491),), 8, None, LABELS)
    longer = Request("longer", (Message("user", "alpha " * 700),), 8, None, LABELS)
    mixed = [*requests(2), long, longer, Request("free", requests(1)[0].messages, 3)]
    found = answers(loaded, mixed)
    stopped = threading.Event()
    stopped.set()

    assert "with a label the model reads 512 at most" in str(found["long"]["error"])
    assert "the model reads 512 at most" in found["longer"]["error"]
    assert "chances" not in found["free"]
    assert found["free"]["completion_tokens"] > 0
    assert found["row 0"]["error"] is None
    assert list(local_child.answer(loaded, [as_asked(request) for request in requests(4)], stopped)) == []


def test_many_labels_are_scored_some_at_a_time_to_the_same(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.inference import label_scoring

    asked = requests(4)
    whole = answers(loaded, asked)
    monkeypatch.setattr(label_scoring, "NODES", 3)
    tree = label_scoring.tree(loaded, asked[0].messages, LABELS)
    parts = tree.parts(3)
    cut = answers(loaded, asked)

    assert len(parts) > 2
    assert sorted(number for _, numbers in parts for number in numbers) == list(range(len(LABELS)))
    assert all(part.label(at) == tree.label(number) for part, numbers in parts for at, number in enumerate(numbers))
    for name, each in cut.items():
        assert each["chances"] == pytest.approx(whole[name]["chances"], rel=1e-3, abs=1e-6)
        assert each["text"] == whole[name]["text"]


def test_what_would_take_forever_label_by_label_is_refused(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.inference import label_scoring

    monkeypatch.setattr(loaded.model.config, "sliding_window", 4096, raising=False)
    monkeypatch.setattr(label_scoring, "WRITTEN_OUT", 100)
    found = answers(loaded, requests(2))

    assert all(
        "can't score labels in one pass, and 8 labels one by one" in str(each["error"]) for each in found.values()
    )
