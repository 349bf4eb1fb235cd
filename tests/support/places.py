"""Where things are."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Small data that the repository carries; each folder says where it is from and under which licence.
DATA = ROOT / "tests" / "data"
BAD_FILES = DATA / "bad_files"
# Large public sets for sweeps in the deep suite; no part of the repository.
SETS = Path(os.environ.get("TUNEGATE_SETS", ROOT.parent / "shared" / "data"))
