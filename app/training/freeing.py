"""What a run that was stopped leaves behind on the disk, and what is taken away of it."""

import shutil
from pathlib import Path

STAGING, CHECKPOINTS = "staging", "checkpoints"  # in a run's folder, as `CheckpointStore` lays it out


def free(run: Path, *, for_good: bool) -> int:
    """Remove what a stopped trainer left half written; for_good: its checkpoints as well, for it will not go on.

    The log and the journal of measurements stay. Gives the bytes that are free again.
    """
    gone = [run / STAGING, *([run / CHECKPOINTS] if for_good else [])]
    freed = sum(size(folder) for folder in gone)
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return freed


def size(folder: Path) -> int:
    """Bytes of the files in a folder; links are not followed."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
