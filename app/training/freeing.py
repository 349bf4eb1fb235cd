"""What a run that was stopped leaves behind on the disk, and what is taken away of it."""

import shutil
from pathlib import Path

from app.training import legs
from app.training.protocol import ADAPTER

STAGING, CHECKPOINTS = "staging", "checkpoints"  # in a run's folder, as `CheckpointStore` lays it out


def free(run: Path, *, for_good: bool) -> int:
    """Remove what a stopped trainer left half written; for_good: its checkpoints as well, for it will not go on, and
    the adapters of those of several trainings that were over, which nothing is chosen from any more.

    Log and journals of measurements stay. Gives the bytes that are free again.
    """
    parts = sorted((run / legs.FOLDER).glob("*/"))
    gone = [folder / STAGING for folder in (run, *parts)]
    if for_good:
        gone += [run / CHECKPOINTS, *(part / name for part in parts for name in (CHECKPOINTS, ADAPTER))]
    freed = sum(size(folder) for folder in gone)
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def size(folder: Path) -> int:
    """Bytes of the files in a folder; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
