"""A model in a child process: same text as the plain way, errors in words, and nothing left running."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from app.chat import Message
from app.inference.generator import Request, Unusable
from app.inference.local import LocalModel
from app.inference.local_protocol import asked as as_asked
from tests.support.local_asking import TOLD, ask, naive, never
from tests.support.processes import runs, until
from tests.support.zygote import Forked, variables

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("instructions", [TOLD, None], ids=["shared beginning", "nothing shared"])
def test_batches_say_what_one_call_after_the_other_says(
    tiny_model: Path, torch_here: None, instructions: Message | None
) -> None:
    import threading

    from app.inference import loading, local_child

    requests = ask(9, instructions)
    loaded = loading.load(tiny_model, None, "float32")
    answers = local_child.answer(loaded, [as_asked(request) for request in requests], threading.Event())

    assert {answer["id"]: answer["text"] for answer in answers} == naive(tiny_model, requests)


def test_a_child_answers_counts_and_ends(tiny_model: Path, warm_children: None) -> None:
    """All in one child, since the product pays seconds for one."""
    child = LocalModel(tiny_model, threads=1, dtype="float32")
    requests = [*ask(5), Request("long", (Message("user", "alpha " * 600),), 8), Request("one", ask(1)[0].messages, 1)]
    answers = {answer.id: answer for answer in child.answer(requests, never)}
    info = child.info()
    counted = list(child.count([("r", (TOLD, Message("user", "alpha beta")), "beta")]))
    stopped = list(child.answer(ask(200, room=400), lambda: True))
    asked: list[Any] = []
    for answer in child.answer(ask(60, room=300), lambda: len(asked) > 2):
        asked.append(answer)  # noqa: PERF402  the stop looks at what has come so far
    after = list(child.answer(ask(2), never))

    assert answers.keys() == {request.id for request in requests}
    assert "tokens, and the model reads 512 at most" in (answers["long"].error or "")
    assert answers["long"].text == ""
    assert (answers["one"].finish, answers["one"].completion_tokens) == ("length", 1)
    assert answers["row 0"].error is None
    assert answers["row 0"].prompt_tokens > 10
    assert info is not None
    assert (info.dtype, info.threads, info.context) == ("float32", 1, 512)
    assert counted[0].completion == "beta<|im_end|>"
    assert counted[0].prompt.endswith("<|im_start|>assistant\n")
    assert stopped == []
    assert 2 < len(asked) < 60
    assert {answer.id for answer in after} == {"row 0", "row 1"}
    pid = child.pid
    child.close()
    child.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_killed_child_is_an_error_in_words(tiny_model: Path, warm_children: None) -> None:
    with LocalModel(tiny_model, threads=1, dtype="float32") as child:
        child.info()
        os.kill(child.pid, signal.SIGKILL)

        with pytest.raises(Unusable, match="was killed, most likely because the machine ran out of memory"):
            list(child.answer(ask(1), never))


def test_a_changed_model_is_refused_before_it_is_opened(tiny_model: Path) -> None:
    """By a child that is started as the product does it, in the quick suite too."""
    from app.inference import folders

    files = folders.hashes(tiny_model) | {"config.json": "0" * 64}
    with LocalModel(tiny_model, threads=1, files=files) as child, pytest.raises(Unusable, match=r"config\.json"):
        list(child.answer(ask(1), never))


def test_a_missing_model_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="folder is not there"):
        LocalModel(tmp_path / "none")


def test_the_child_ends_when_its_parent_is_killed(tiny_model: Path, tmp_path: Path) -> None:
    """The parent is killed with -9 while the child loads; nothing of it may be left."""
    report = tmp_path / "pid"
    environment = {**os.environ, **variables()}
    parent = Forked("tests.support.model_holder", str(tiny_model), str(report), env=environment)
    until(report.exists)
    pid = int(report.read_text(encoding="utf-8"))
    parent.kill()
    parent.wait()

    until(lambda: not runs(pid))
