"""Big uploads in processes of their own: what they take is measured from outside."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.depth import depth
from tests.support.places import ROOT

UPLOAD = """
import resource, sys
from pathlib import Path
from app.blobs import Blobs
from app.uploads import multipart
head = b'--x\\r\\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\\r\\n\\r\\n'
line = b'{"prompt": "' + b"q" * 400 + b'", "completion": "' + b"a" * 100 + b'"}\\n'
def body(megabytes):
    yield head
    for _ in range(16 * megabytes):
        yield line * 121
    yield b"\\r\\n--x--\\r\\n"
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
for part in multipart.parts(body(100), b"x"):
    stored = Blobs(Path(sys.argv[1])).put(part.body)
assert stored.size > 100_000_000, stored
print(peak() - before)
"""

CHECK = """
import json, random, resource, sys
from pathlib import Path
from app.datasets.checks.pipeline import CheckInput, check
from app.datasets.checks.working_rows import WorkingRows
folder, rows_wanted = Path(sys.argv[1]), int(sys.argv[2])
random.seed(1)
words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randrange(3, 9))) for _ in range(5000)]
with (folder / "big.jsonl").open("w") as file:
    for _ in range(rows_wanted):
        line = {"prompt": " ".join(random.choices(words, k=380)), "completion": " ".join(random.choices(words, k=380))}
        file.write(json.dumps(line) + "\\n")
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
before = peak()
with (folder / "big.jsonl").open("rb") as file, WorkingRows(folder / "rows") as rows:
    found = check(CheckInput(file), rows).report
assert found.uploaded == found.waterfall[-2].count == rows_wanted, found.waterfall
print(peak() - before)
"""


def run(program: str, *arguments: str) -> int:
    """Run the program and give what it printed: the MiB by which its memory grew."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return int(done.stdout)


def test_an_upload_of_100_mb_is_never_in_memory(tmp_path: Path) -> None:
    assert run(UPLOAD, str(tmp_path)) < 24


def test_a_check_needs_memory_for_rows_and_not_for_their_texts(tmp_path: Path) -> None:
    # 1 MB of text, or 10 in the deep suite; most of it is the fixed tables.
    assert run(CHECK, str(tmp_path), depth("200", "2000")) < 150


@pytest.mark.deep
def test_a_check_of_100_mb_stays_small(tmp_path: Path) -> None:
    assert run(CHECK, str(tmp_path), "20000") < 200
