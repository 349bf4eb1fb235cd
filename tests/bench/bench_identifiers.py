"""Precision and recall of what finds personal data and secrets: ours, the libraries it could have been, per kind.

    python tests/bench/bench_identifiers.py

`detect-secrets` is compared where it is installed (pip install detect-secrets, in an environment of its own).
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.datasets.personal_data import KINDS, SECRET, kinds
from tests.datasets.identifiers import negatives, positives

Finder = Callable[[str], Iterable[str]]


def other() -> Finder | None:
    """The plugins of detect-secrets that know a token by its form; its guesses by entropy find every hash."""
    try:
        util = import_module("detect_secrets.core.plugins.util")
    except ImportError:
        return None
    guessing = {"Base64 High Entropy String", "Hex High Entropy String", "Public IP (ipv4)"}
    plugins = [cls() for name, cls in util.get_mapping_from_secret_type_to_class().items() if name not in guessing]

    def find(text: str) -> Iterable[str]:
        return [SECRET] if any(next(iter(plugin.analyze_line("x", line, 1)), None) for plugin in plugins
                               for line in text.splitlines()) else []  # fmt: skip

    return find


def main() -> None:
    there = list(positives())
    clean = list(negatives())
    print(f"{len(there)} texts with one, {len(clean)} without")
    for name, find in (("ours", kinds), ("detect-secrets", other())):
        if find is None:
            print(f"{name}: not installed")
            continue
        began = time.perf_counter()
        found: Counter[str] = Counter()
        said: Counter[str] = Counter()
        number = Counter(kind for kind, _ in there)
        for kind, text in there:
            named = set(find(text))
            found[kind] += kind in named
            said.update(named)
        for text in clean:
            said.update(set(find(text)))
        took = time.perf_counter() - began
        for kind in KINDS:
            if name == "ours" or kind == SECRET:
                recall, precision = found[kind] / number[kind], found[kind] / max(1, said[kind])
                print(f"{name:15} {kind:24} {number[kind]:4}  recall {recall:.3f}  precision {precision:.3f}")
        print(f"{name:15} {1e6 * took / (len(there) + len(clean)):.0f} microseconds a text")


if __name__ == "__main__":
    main()
