"""A process that starts a model and then only waits: python -m tests.support.model_holder MODEL REPORT."""

import sys
import time
from pathlib import Path

from app.inference.local import LocalModel

if __name__ == "__main__":
    child = LocalModel(Path(sys.argv[1]), threads=1)
    report = Path(sys.argv[2])
    report.with_suffix(".new").write_text(str(child.pid), encoding="utf-8")
    report.with_suffix(".new").rename(report)
    time.sleep(600)
