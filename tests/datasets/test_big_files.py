"""Files made to exhaust a machine: each ends in a sentence, soon, and in little memory, measured from outside."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.bad_files import HUGE, huge
from tests.support.places import ROOT

CHECK = """
import json, resource, sys, time
from pathlib import Path
from app.datasets import command
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.process_time()
outcome = command.examine(Path(sys.argv[1]))
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({
    "verdict": outcome["verdict"],
    "said": [message["text"] for message in outcome["messages"] if message["level"] == "error"],
    "mib": (used - before) // 1024,
    "seconds": time.process_time() - started,
}))
"""

READ = """
import json, resource, sys
from pathlib import Path
from app.documents import opening, refusals
path = Path(sys.argv[1])
said = []
try:
    with path.open("rb") as file:
        for one in opening.documents(file, path.name):
            said.append(one.get("reason", "read"))
except refusals.Unreadable as refusal:
    said.append(str(refusal))
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"said": said, "mib": child // 1024}))
"""


def run(program: str, path: Path) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", program, path], cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("big")
    for name in HUGE:
        huge(folder / name)
    return folder


@pytest.mark.parametrize(
    ("program", "name", "words"),
    [
        (CHECK, "single_line_50mb.jsonl", "longer than 4 MiB"),
        (READ, "gzip_bomb.jsonl.gz", "gzip data"),
    ],
    ids=["as examples", "as documents"],
)
def test_a_tenth_of_a_huge_file_is_refused_in_little_memory(
    tmp_path: Path, program: str, name: str, words: str
) -> None:
    found = run(program, huge(tmp_path / name, 0.1))

    assert words in " ".join(found["said"])  # type: ignore[arg-type]  # a list of sentences
    assert isinstance(found["mib"], int)
    assert found["mib"] < 300


@pytest.mark.deep
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("zip_bomb.zip", "The file is a zip archive"),
        ("nested.zip", "The file is a zip archive"),
        ("many_members.zip", "The file is a zip archive"),
        ("gzip_bomb.jsonl.gz", "unpacks to over 100 times its size"),
        ("wide_record.jsonl", "longer than 4 MiB"),
        ("single_line_50mb.jsonl", "longer than 4 MiB"),
        ("no_newline_zeros.jsonl", "full of control characters"),
    ],
)
def test_as_examples_they_are_refused_in_little_memory(made: Path, name: str, words: str) -> None:
    found = run(CHECK, made / name)

    assert found["verdict"] == "reject"
    assert words in " ".join(found["said"])  # type: ignore[arg-type]  # a list of sentences
    assert isinstance(found["mib"], int)
    assert found["mib"] < 100
    assert isinstance(found["seconds"], float)
    assert found["seconds"] < 30


@pytest.mark.deep
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("zip_bomb.zip", "larger than the 32 MiB"),
        ("nested.zip", "It is an archive"),
        ("many_members.zip", "holds 100,000 files"),
        ("gzip_bomb.jsonl.gz", "gzip data"),
        ("single_line_50mb.jsonl", "larger than the 32 MiB"),
        ("no_newline_zeros.jsonl", "larger than the 32 MiB"),
    ],
)
def test_as_documents_they_are_refused_in_little_memory(made: Path, name: str, words: str) -> None:
    found = run(READ, made / name)

    assert words in " ".join(found["said"])  # type: ignore[arg-type]  # a list of sentences
    assert isinstance(found["mib"], int)
    assert found["mib"] < 300
