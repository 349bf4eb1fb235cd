"""The finished worked example as a file: rows of an installation in which it ran to its end, for others to look at.

The file is JSON, compressed with xz: `about` (how and when it was measured), `rows` by table, and `blobs`, the files of
the data by their hash. What it holds is what the app wrote while it measured; nothing is put in by hand.
`finished_example/README.md` says how it is made.
"""

import base64
import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("finished_example") / "rows.json.xz"
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")

Row = Mapping[str, Any]
"""A row of a table, by the names of its columns; what each holds, the table says."""
Rows = Mapping[str, Sequence[Row]]


@dataclass(frozen=True, slots=True)
class About:
    """How it was measured.

    cores: CPU cores that the run had; finished_at: ISO 8601, in UTC; seconds: from the start of the first job to the
    end of the last; packages: the versions that the examples were read from.
    """

    cores: int
    finished_at: str
    seconds: float
    packages: Mapping[str, str]

    @property
    def sentence(self) -> str:
        """What the pages say of it."""
        cores = NUMBERS[self.cores] if self.cores < len(NUMBERS) else str(self.cores)
        month = datetime.fromisoformat(self.finished_at).strftime("%B %Y")
        return f"measured by make demo on {cores} CPU core{'' if self.cores == 1 else 's'} in {month}"


@dataclass(frozen=True, slots=True)
class Recording:
    """The rows of a finished example by table, with the ids that they had, and the files of its data by their hash."""

    about: About
    rows: Rows
    blobs: Mapping[str, bytes]


def write(path: Path, recording: Recording) -> int:
    """Write a recording; returns the size in bytes."""
    # Text stays text: the same words stand in the rows, and are compressed with them.
    blobs = {name: _as_text(content) for name, content in recording.blobs.items()}
    whole = {"about": asdict(recording.about), "rows": recording.rows, "blobs": blobs}
    text = json.dumps(whole, ensure_ascii=False, sort_keys=True)
    packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    path.write_bytes(packed)
    return len(packed)


def read(path: Path = FILE) -> Recording:
    """Read a recording.

    Raises:
        OSError, ValueError: there is no such file, or it is damaged.
    """
    try:
        stored = json.loads(lzma.decompress(path.read_bytes()))
    except lzma.LZMAError as error:
        raise ValueError("not a recording, or a damaged one") from error
    blobs = {name: _as_bytes(content) for name, content in stored["blobs"].items()}
    return Recording(About(**stored["about"]), stored["rows"], blobs)


def _as_text(content: bytes) -> Mapping[str, str]:
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base85": base64.b85encode(content).decode()}


def _as_bytes(stored: Mapping[str, str]) -> bytes:
    return stored["text"].encode() if "text" in stored else base64.b85decode(stored["base85"])
