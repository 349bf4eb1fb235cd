"""Where a check saves what it has worked out, so that a killed one goes on instead of beginning again.

A folder on disk that belongs to one piece of work and says what went into it (the hashes of the uploaded bytes, the
seed, ...). If it says something else it is emptied: what lies there was worked out from something else. Every save
appears whole or not at all, so a kill at any moment leaves either the old one or the new one.
"""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

ABOUT = "about"


Array: TypeAlias = npt.NDArray[Any]  # of whatever was saved


class Checkpoint:
    """The folder of one check.

    about: what the work is about. begun: whether an earlier attempt left something. every: seconds of work that a kill
    may cost.
    """

    def __init__(self, folder: Path, about: object, every: float = 5.0) -> None:
        self.folder = folder
        self.every = every
        self._last = time.monotonic()
        wanted = orjson.dumps(about, option=orjson.OPT_SORT_KEYS)
        self.begun = (folder / ABOUT).exists() and (folder / ABOUT).read_bytes() == wanted
        if not self.begun:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            self._write(ABOUT, lambda file: file.write(wanted))

    def path(self, name: str) -> Path:
        return self.folder / name

    def open(self, name: str) -> BinaryIO:
        """A file to write and read at any place; what an earlier attempt wrote is still in it."""
        path = self.path(name)
        return path.open("r+b" if path.exists() else "w+b")

    def due(self) -> bool:
        """Whether it is time to save something again."""
        return time.monotonic() - self._last >= self.every

    def save_json(self, name: str, value: object) -> None:
        """Save something small."""
        self._write(name, lambda file: file.write(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)))

    def load_json(self, name: str) -> Any | None:
        """What was saved under this name, None if nothing was."""
        try:
            return orjson.loads(self.path(name).read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return None

    def save_arrays(self, name: str, **arrays: Array) -> None:
        """Save arrays that belong together."""
        self._write(name, lambda file: np.savez(file, allow_pickle=False, **arrays))

    def load_arrays(self, name: str) -> dict[str, Array] | None:
        """The arrays saved under this name, None if there are none."""
        try:
            with np.load(self.path(name), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (OSError, ValueError, EOFError):
            return None

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, write: Callable[[BinaryIO], object]) -> None:
        """Written beside, synced, renamed: a reader sees the whole or the one before."""
        path = self.path(name)
        beside = path.with_name(f"{name}.new")
        with beside.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        self._last = time.monotonic()
