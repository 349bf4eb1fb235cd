"""The README's program is run as it stands there, against a real server and worker, on a fresh installation."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import main
from app.settings import Settings
from tests.support.browser import serving
from tests.support.places import ROOT
from tests.support.processes import Process
from tests.support.ready import ready

PROGRAM = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.worker
def test_a_newcomer_goes_the_way_without_a_browser(
    settings: Settings, worker: Callable[..., Process], tmp_path: Path
) -> None:
    (program,) = PROGRAM.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    rows = [
        {"prompt": f"Ticket {number} about a {thing} that is {how}", "completion": thing}
        for number, (thing, how) in enumerate(
            (thing, how) for thing in ("router", "invoice", "parcel") for how in ("late", "lost", "broken", "wrong")
        )
    ]
    (tmp_path / "examples.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    worker(settings)
    code = main.new_setup_code(settings)

    with serving(ready(main.create_app, settings)) as address:
        told = subprocess.run(
            [sys.executable, "-c", program],
            env={"TUNEGATE": address, "CODE": code},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert told.stderr == ""
    first, *reasons = told.stdout.splitlines()
    assert first == "done prompt locked"
    assert any(reason.startswith("G1 ") for reason in reasons)
    assert len(reasons) > 3
