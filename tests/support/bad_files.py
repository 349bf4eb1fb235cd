"""The malformed uploads that are not in `tests/data` because a line of code makes them; and the huge ones."""

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from itertools import islice
from pathlib import Path

from tests.support.places import BAD_FILES

MIB = 1 << 20
FILES = BAD_FILES / "files"


# ---------------------------------------------------------------------- of the 83 that the list names


def _lines(count: int) -> list[str]:
    """The first lines of a clean file, from which the others were made."""
    with (FILES / "ok_baseline.jsonl").open(encoding="utf-8") as file:
        return list(islice(file, count))


def _all_identical() -> str:
    return "".join(_lines(1) * 200)


def _long_record() -> str:
    lines = _lines(10)
    record = json.loads(lines[0])
    line = record["completion"] + "\n"
    record["completion"] = (line * (100_000 // len(line) + 1))[:100_000]
    return "".join([*lines[:5], json.dumps(record, ensure_ascii=False) + "\n", *lines[5:]])


def _nested_arrays() -> str:
    return "".join(_lines(2)) + '{"prompt": ' + "[" * 1_000_000 + "]" * 1_000_000 + ', "completion": "x"}\n'


def _many_keys() -> str:
    return "{" + ", ".join(f'"k{n}": {n}' for n in range(50_000)) + ', "prompt": "p", "completion": "c"}\n'


# Name, how it is made, and the hash of what the list was written for.
MADE: dict[str, tuple[Callable[[], str], str]] = {
    "all_identical.jsonl": (_all_identical, "92f137f305af44a8c4fb1fd23b1ac841c3ecca145798dc4dce8b053a36c8adcf"),
    "huge_field.csv": (
        lambda: f"prompt,completion\r\na,{'x' * 200_000}\r\n",
        "fbae1c6fce48ec28d16e5541f7b11472f7cfda0867d71ca37a782418599f7b7f",
    ),
    "long_record_100k.jsonl": (_long_record, "18b7fcbf0a9546aa28cd77f8a96a676a25bc8080d85f350a643e2e3cefad30e6"),
    "many_keys.jsonl": (_many_keys, "d33555e9197636bb527a002ffebf3d83f5ff6e3d647cc654942e62dabf1b21ac"),
    "nested_1e6.jsonl": (_nested_arrays, "5845ef0b085b90caca9089d9861e599ae1cb51134a4f66606a8643b45c4043c8"),
    "nested_objects_20k.jsonl": (
        lambda: '{"a":' * 20_000 + "1" + "}" * 20_000 + "\n",
        "4312428f9ca36075a56de9e21bee0729f6bc7e89edeeed6d4c6a29b732096ccc",
    ),
}


def whole(folder: Path) -> Path:
    """Put all 83 files into a folder."""
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    for name, (make, digest) in MADE.items():
        data = make().encode()
        assert sha256(data).hexdigest() == digest, f"{name} is no longer the file that the list is about"
        (folder / name).write_bytes(data)
    return folder


# ---------------------------------------------------------------------- made to exhaust a machine


def _single_line(path: Path, share: float) -> None:
    with path.open("wb") as file:
        file.write(b'{"prompt": "p", "completion": "')
        for _ in range(int(50 * share)):
            file.write(b"x" * MIB)
        file.write(b'"}\n')


def _zip_bomb(path: Path, share: float) -> None:
    """1 MiB on disk, 1 GiB unpacked."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("data.jsonl", "w", force_zip64=True) as file,
    ):
        for _ in range(int(1024 * share)):
            file.write(b"\0" * MIB)


def _gzip_bomb(path: Path, share: float) -> None:
    """1 GiB unpacked, and examples that nothing is wrong with."""
    lines = (json.dumps({"prompt": "p", "completion": "x" * 1000}) + "\n").encode() * 1024
    with gzip.open(path, "wb", 9) as file:
        for _ in range(int(1024 * share)):
            file.write(lines)


def _nested_zip(path: Path, share: float) -> None:
    """Eight archives in each other, four members in each."""
    data, name = b'{"prompt": "p", "completion": "c"}\n' * int(30_000 * share), "data.jsonl"
    for level in range(8):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(4):
                archive.writestr(f"{number}-{name}", data)
        data, name = out.getvalue(), f"level{level}.zip"
    path.write_bytes(data)


def _many_members(path: Path, share: float) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(int(100_000 * share)):
            archive.writestr(f"{number}.jsonl", "")


def _wide_record(path: Path, share: float) -> None:
    keys = ",".join(f'"k{number}":{number}' for number in range(int(1_000_000 * share)))
    path.write_text("{" + keys + ',"prompt":"p","completion":"c"}\n', encoding="utf-8")


def _zeros(path: Path, share: float) -> None:
    """200 MiB of NUL without one line end; sparse."""
    with path.open("wb") as file:
        file.truncate(int(200 * MIB * share))


HUGE: dict[str, Callable[[Path, float], None]] = {
    "single_line_50mb.jsonl": _single_line,
    "zip_bomb.zip": _zip_bomb,
    "gzip_bomb.jsonl.gz": _gzip_bomb,
    "nested.zip": _nested_zip,
    "many_members.zip": _many_members,
    "wide_record.jsonl": _wide_record,
    "no_newline_zeros.jsonl": _zeros,
}


def huge(path: Path, share: float = 1.0) -> Path:
    """Make the huge file of this name, or one of a share of its size. All of them: up to 120 MB, and half a minute."""
    HUGE[path.name](path, share)
    return path
