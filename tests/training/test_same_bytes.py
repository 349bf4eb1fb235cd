"""The trainer trains the very bytes that it hashed, and each start has a ticket that is used once."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.gate import permission
from app.training import admission, child
from app.training.admission import Ended, Refuse
from app.training.launchers import Local
from app.training.loop import Stop
from app.training.protocol import SEALED, SPEC, Exit, Start, plain
from tests.support import tiny
from tests.support.trainer import build

needs_torch = pytest.mark.torch


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return tiny.write_rows(tmp_path / "rows", tiny.rows())


def sha256(path: Path) -> str:
    from app.inference import folders

    return folders.sha256(path)


def test_rows_swapped_after_they_were_hashed_change_nothing(rows: Path) -> None:
    """Between the hash and the first step lies the import of torch: ample time to put another file there."""
    whole = list(admission.read_rows(rows, sha256(rows)))
    taken = admission.read_rows(rows, sha256(rows))

    rows.write_bytes(b'{"line": 1, "split": "train", "messages": [], "target": "mine"}\n')

    assert list(taken) == whole


def test_rows_are_held_once(rows: Path) -> None:
    taken = admission.read_rows(rows, sha256(rows))

    assert len(list(taken)) == len(tiny.rows())
    assert list(taken) == []


def test_no_copy_of_the_rows_is_left_for_others(tmp_path: Path, rows: Path) -> None:
    before = set(tmp_path.iterdir())
    list(admission.read_rows(rows, sha256(rows)))

    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("how", ["changed", "a link", "gone"])
def test_other_rows_are_refused(rows: Path, how: str) -> None:
    wanted = sha256(rows)
    moved = rows.rename(rows.with_suffix(".moved"))
    if how == "changed":
        rows.write_bytes(moved.read_bytes().replace(b"alpha", b"omega", 1))
    elif how == "a link":
        rows.symlink_to(moved)

    with pytest.raises(Refuse):
        admission.read_rows(rows, wanted)


@pytest.mark.parametrize("name", ["spec.json", "trainer.log", "metrics.jsonl", "run.lock"])
def test_a_link_in_the_runs_folder_is_not_written_through(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    (tmp_path / name).symlink_to(victim)

    with pytest.raises(OSError, match=r"symbolic|link"):
        plain(tmp_path / name, os.O_WRONLY)
    assert victim.read_text(encoding="utf-8") == "mine"


# ---------------------------------------------------------------- the ticket


def test_a_start_is_made_once(tmp_path: Path) -> None:
    with admission.lock(tmp_path, 1):
        pass
    with admission.lock(tmp_path, 2):
        pass

    for used in (1, 2):
        with pytest.raises(Ended, match="used already"), admission.lock(tmp_path, used):
            pass
    assert (tmp_path / SEALED).read_text(encoding="ascii").strip() == "2"


def spec_of(run: Path, key: bytes, attempt: int = 1) -> dict[str, Any]:
    text = "{}"
    from app.gate import subject

    digest = subject.digest_of_text(text.encode())
    token = permission.launch_token(key, job_id=1, attempt=attempt, digest=digest, expires=1000)
    spec = {"job_id": 1, "attempt": attempt, "token": token, "digest": digest, "subject": text, "rows": "", "model": "",
            "threads": 1}  # fmt: skip
    (run / SPEC).write_text(json.dumps(spec), encoding="utf-8")
    return spec


@pytest.mark.parametrize("now", [999.0, 2000.0], ids=["in time", "too late"])
def test_the_spec_is_gone_once_it_was_read_whether_it_was_good_or_not(tmp_path: Path, now: float) -> None:
    spec_of(tmp_path, b"k")

    with pytest.raises((Refuse, Ended)):
        admission.admit(tmp_path, b"k", now)

    assert not (tmp_path / SPEC).exists()


def test_a_ticket_lives_for_minutes() -> None:
    assert permission.TOKEN_LIFE <= 600


def test_the_spec_is_its_owners_only(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / SPEC).symlink_to(tmp_path / "elsewhere")
    process = Local(tmp_path).start(tmp_path / "run", Start(1, 1, "", "", "", "", "", threads=1))
    process.close()

    assert not (tmp_path / "elsewhere").exists()
    assert not (tmp_path / "run" / SPEC).exists(), "the trainer took it"


@needs_torch
def test_a_spec_that_somebody_kept_starts_nothing_again(another: Callable[..., Any]) -> None:
    """As after a cancel: everything is there but the worker."""
    made = another(epochs=20)
    made.order()
    kept = (made.folder / SPEC).read_bytes()
    first = made.start()
    first.until("step")
    first.hang_up()
    assert first.wait() == Exit.STOPPED
    steps = len(first.events("step"))
    assert steps

    (made.folder / SPEC).write_bytes(kept)
    again = made.start()

    assert again.wait() == Exit.NO_TOKEN
    assert not again.events("step")
    assert "used already" in again.events("ended")[0]["text"]


@needs_torch
def test_weights_swapped_after_they_were_hashed_end_as_refused(tmp_path: Path, tiny_model: Path) -> None:
    """They are hashed once more as they are loaded; what is found then is no crash to try again."""
    copied = tmp_path / "copied"
    copied.mkdir()
    for path in tiny_model.iterdir():
        (copied / path.name).write_bytes(path.read_bytes())
    made = build(tmp_path, copied)
    made.order()
    start, spec = admission.admit(made.folder, made.key, 0.0)
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    from app.training.checkpoints import CheckpointStore
    from app.training.ranks import Team

    checkpoints = CheckpointStore(made.folder, made.key, start.digest, 1)
    source = admission.read_rows(made.rows, spec.rows_sha256)

    with pytest.raises(Refuse, match="not the approved one"):
        child._train(source, start, spec, checkpoints, Stop(), Team())
