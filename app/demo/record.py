"""`python -m app.demo.record --cores N`: write the finished worked example of an installation into the file that ships.

For whoever makes a version: `make demo` with a fresh data folder, then this with the same TUNEGATE_DATA. It reads the
database and writes nothing but the file.
"""

import argparse
import sys

from app.blobs import Blobs
from app.db import engine_for, reading
from app.demo import finished, recording
from app.errors import Refusal
from app.settings import Settings


def main() -> int:
    """Returns 0 when the file was written, 2 when there is nothing to write."""
    parser = argparse.ArgumentParser(prog="python -m app.demo.record")
    parser.add_argument("--cores", type=int, required=True, help="CPU cores that it was measured on")
    cores: int = parser.parse_args().cores
    settings = Settings()
    engine = engine_for(settings)
    try:
        with reading(engine) as session:
            made = finished.record(session, Blobs(settings.blobs_dir), cores)
    except Refusal as error:
        print(error, file=sys.stderr)
        return 2
    finally:
        engine.dispose()
    size = recording.write(recording.FILE, made)
    rows = ", ".join(f"{len(of_table):,} {name}" for name, of_table in made.rows.items())
    print(f"{recording.FILE.name}: {size:,} bytes, {made.about.sentence}. {rows}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
