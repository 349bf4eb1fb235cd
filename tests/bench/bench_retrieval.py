"""Retrieval beside other libraries, on the same passages: what is found, how quickly, and what an index costs.

    TUNEGATE_SETS=... python tests/bench/bench_retrieval.py [--embed minilm] [--passages 100000] [--keep FOLDER]

Recall at 5 and questions a second on `rag_pyfaq` and `rag_wiki`, whose questions name their passages: our three ways,
`rank_bm25` with the words that its README takes (lower case, cut at blanks) and with ours, and the plain cosine as
sentence-transformers has it, one product in numpy over the same vectors in 32 bits. Then an index of many passages made
of the same sentences: time, high-water mark and milliseconds a question, each in a process of its own. Without
`--keep` the vectors are random ones there, since only the search is timed; `--embed` measures passages a second on the
sets. With `--keep` only the whole index is built, embeddings too, as the job does it, in that folder: what was killed
goes on, and seconds (by the clock and of all processors) add up. That takes an hour or two on two cores.

rank_bm25 is compared where it is installed (pip install rank_bm25, in an environment of its own).
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.datasets.checks.checkpoint import Checkpoint
from app.inference import embedding
from app.retrieval import building, lexical
from app.retrieval.lexical import Lexical
from app.retrieval.searching import Searcher
from app.retrieval.settings import IndexSettings
from app.settings import Settings
from tests.support.places import ROOT, SETS

K = 5
NAMES = ("rag_pyfaq", "rag_wiki")
DIMENSIONS = 384
SAID = 30.0  # seconds between two lines of progress
WORDS = 160  # of a made-up passage, as many as a passage of 200 tokens has


@dataclass(frozen=True)
class Case:
    """Passages, questions, and which passages answer each."""

    texts: list[str]
    questions: list[str]
    gold: list[set[int]]


def case(name: str) -> Case:
    passages = [json.loads(line) for line in (SETS / name / "paragraphs.jsonl").read_text("utf-8").splitlines()]
    asked = [json.loads(line) for line in (SETS / name / "questions.jsonl").read_text("utf-8").splitlines()]
    number = {one["id"]: at for at, one in enumerate(passages)}
    return Case(
        [f"{one['title']}\n{one['text']}" if one["title"] else one["text"] for one in passages],
        [one["question"] for one in asked],
        [{number[key] for key in one["paragraph_ids"]} for one in asked],
    )


def ours(texts: Sequence[str], folder: Path) -> Lexical:
    collected = lexical.Collected(folder / "terms")
    for text in texts:
        collected.add(text)
    collected.close()
    names = lexical.build(collected, folder / "lexical")
    return Lexical({name: folder / "lexical" / name for name in names})


def rank_bm25(texts: Sequence[str], words: Callable[[str], list[str]]) -> Callable[[str], list[int]]:
    index = import_module("rank_bm25").BM25Okapi([words(text) for text in texts])

    def search(question: str) -> list[int]:
        return [int(at) for at in np.argsort(-index.get_scores(words(question)))[:K]]

    return search


def blanks(text: str) -> list[str]:
    return text.lower().split(" ")


def row(name: str, found: Sequence[Sequence[int]], gold: Sequence[set[int]], seconds: float) -> None:
    recall = np.mean([len(right & set(hits)) / len(right) for right, hits in zip(gold, found, strict=True)])
    first = np.mean([bool(right & set(hits)) for right, hits in zip(gold, found, strict=True)])
    print(f"| {name} | {recall:.3f} | {first:.3f} | {len(gold) / seconds:,.0f} |", flush=True)


def timed(search: Callable[[], list[list[int]]]) -> tuple[list[list[int]], float]:
    search()  # files are in memory, threads are up
    began = time.perf_counter()
    found = search()
    return found, time.perf_counter() - began


def on_set(name: str, embed: str) -> None:
    one = case(name)
    print(f"\n## {name}: {len(one.texts)} passages, {len(one.questions)} questions\n")
    print("| way | recall@5 | any gold passage in 5 | questions/s |\n| --- | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        index = ours(one.texts, Path(folder))
        searcher = Searcher(index)
        row("ours, lexical", *_found(searcher, one, "lexical"))
        if find_spec("rank_bm25"):
            for words, label in ((blanks, "its README's words"), (lexical.terms, "our terms")):
                found, seconds = timed(_each(rank_bm25(one.texts, words), one.questions))
                row(f"rank_bm25, {label}", found, one.gold, seconds)
        if embed:
            _with_embeddings(one, index, embed)


def _each(search: Callable[[str], list[int]], questions: Sequence[str]) -> Callable[[], list[list[int]]]:
    return lambda: [search(question) for question in questions]


def _found(searcher: Searcher, one: Case, way: Any) -> tuple[list[list[int]], list[set[int]], float]:
    def search() -> list[list[int]]:
        return [[hit.passage_id - 1 for hit in hits] for hits in searcher.search(one.questions, way, K)]

    found, seconds = timed(search)
    return found, one.gold, seconds


def _with_embeddings(one: Case, index: Lexical, embed: str) -> None:
    settings = Settings(assets=ROOT / "assets")
    embedder = embedding.embedder(settings, embed)
    try:
        embedder.embed(one.texts[:4], kind="passage", stop=lambda: False)
        began = time.perf_counter()
        vectors = embedder.embed(one.texts, kind="passage", stop=lambda: False)
        took = time.perf_counter() - began
        searcher = Searcher(index, vectors, embedder)
        for way in ("embedding", "hybrid"):
            row(f"ours, {way} ({embed})", *_found(searcher, one, way))

        def cosine() -> list[list[int]]:
            asked = embedder.embed(one.questions, kind="query", stop=lambda: False)
            return [[int(at) for at in best] for best in np.argsort(-(asked @ vectors.T), axis=1)[:, :K]]

        found, seconds = timed(cosine)
        row("plain cosine in numpy, the same vectors", found, one.gold, seconds)
        print(f"\nEmbedding: {len(one.texts) / took:.1f} passages/s, {embedder.cut} longer than the model reads.")
    finally:
        embedder.close()


# ---------------------------------------------------------------------- many passages


def made_up(count: int) -> list[str]:
    """Texts of a passage's length out of the sentences of both sets, each with some words that hardly any other has."""
    sentences = [text.split() for name in NAMES for one in case(name).texts for text in one.split(". ")]
    drawn = random.Random(7)
    texts = []
    for _ in range(count):
        words: list[str] = [f"w{drawn.randrange(10**6)}" for _ in range(4)]
        while len(words) < WORDS:
            words += drawn.choice(sentences)
        texts.append(" ".join(words[:WORDS]))
    return texts


@dataclass(frozen=True)
class MadeUp:
    """A document of one passage."""

    kind: str = "text"
    title: str = ""


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(what: str, file: Path) -> None:
    """One measurement, in this process; prints it as JSON."""
    questions = [question for name in NAMES for question in case(name).questions][:200]
    lines = file.read_text("utf-8").split("\n")
    before = peak()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.perf_counter()
        if what == "vectors":
            search = _vectors(folder, len(lines))
        elif what == "ours":
            checkpoint = Checkpoint(folder / "work", "bench")
            documents = ((MadeUp(), lambda text=text: text) for text in lines)
            built = building.build(
                documents, len(lines), IndexSettings(size=400), None, checkpoint, lambda *_: None, lambda: False
            )
            index = _opened(built)
            search = lambda question: Searcher(index).search([question], "lexical", K)  # noqa: E731
        else:
            search = rank_bm25(lines, lexical.terms)
        seconds = time.perf_counter() - began
        search(questions[0])
        began = time.perf_counter()
        for question in questions:
            search(question)
        each = (time.perf_counter() - began) / len(questions) * 1000
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
    print(json.dumps({"seconds": seconds, "before": before, "peak": peak(), "ms": each, "mib": size}))


def _opened(built: building.Built) -> Lexical:
    roles = {role: path for role, path in built.files.items() if role.startswith(building.LEXICAL)}
    return Lexical({role.removeprefix(building.LEXICAL): path for role, path in roles.items()})


def _vectors(folder: Path, count: int) -> Callable[[str], Any]:
    """A search over random vectors, written as an index has them."""
    drawn = np.random.default_rng(3)
    with (folder / "vectors").open("wb") as file:
        for start in range(0, count, 10_000):
            rows = drawn.normal(size=(min(10_000, count - start), DIMENSIONS)).astype(np.float32)
            file.write((rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("<f4").tobytes())

    class Drawn:
        name, digest, dimensions, cut = "random", "", DIMENSIONS, 0

        def embed(self, texts: Sequence[str], **_: Any) -> Any:
            rows = drawn.normal(size=(len(texts), DIMENSIONS)).astype(np.float32)
            return rows / np.linalg.norm(rows, axis=1, keepdims=True)

        def close(self) -> None: ...

    searcher = Searcher(ours(["word"], folder), building.vectors(folder / "vectors", DIMENSIONS), Drawn())
    return lambda question: searcher.search([question], "embedding", K)


def many(count: int) -> None:
    print(f"\n## {count:,} passages of {WORDS} words\n")
    print(
        "| what | built in | high-water mark (before) | on disk | ms a question |\n| --- | ---: | ---: | ---: | ---: |"
    )
    whats = {"ours": "ours, lexical: split, BM25, passages", "vectors": "ours, search of vectors (random, 384)"}
    if find_spec("rank_bm25"):
        whats["rank_bm25"] = "rank_bm25, our terms"
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "passages"
        file.write_text("\n".join(made_up(count)), encoding="utf-8")
        for what, label in whats.items():
            command = [sys.executable, __file__, "--one", what, "--file", str(file)]
            said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            built = "" if what == "vectors" else f"{said['seconds']:.1f} s"
            memory = f"{said['peak']:.2f} GiB ({said['before']:.2f})"
            print(f"| {label} | {built} | {memory} | {said['mib']:,.0f} MiB | {said['ms']:.1f} |", flush=True)


def whole(count: int, embed: str, folder: Path) -> None:
    """Build an index of both kinds in a folder that is kept, and search it in all three ways."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "passages"
    if not file.exists():
        file.write_text("\n".join(made_up(count)), encoding="utf-8")
    lines = file.read_text("utf-8").split("\n")
    questions = [question for name in NAMES for question in case(name).questions][:200]
    before = peak()
    embedder = embedding.embedder(Settings(assets=ROOT / "assets"), embed)
    checkpoint = Checkpoint(folder / "work", ["bench", count, embedder.digest])
    spent = Spent(checkpoint)
    try:
        documents = ((MadeUp(), lambda text=text: text) for text in lines)
        settings = IndexSettings(size=400, embedder=embed)
        built = building.build(documents, len(lines), settings, embedder, checkpoint, spent.tick, lambda: False)
        spent.tick("", built.passages, built.passages, "")
        vectors = building.vectors(built.files[building.VECTORS], embedder.dimensions)
        searcher = Searcher(_opened(built), vectors, embedder)
        each = {way: _milliseconds(searcher, questions, way) for way in ("lexical", "embedding", "hybrid")}
        size = sum(path.stat().st_size for path in built.files.values()) / 2**20
    finally:
        embedder.close()
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    print(f"{built.passages:,} passages, {built.cut:,} cut; {spent.text()}; {size:,.0f} MiB on disk")
    print(f"high-water mark {peak():.2f} GiB ({before:.2f} before), of the model's process {child:.2f} GiB")
    print("ms a question, the model's own time included: " + ", ".join(f"{way} {ms:.1f}" for way, ms in each.items()))


def _milliseconds(searcher: Searcher, questions: Sequence[str], way: Any) -> float:
    searcher.search(questions[:1], way, K)
    began = time.perf_counter()
    for question in questions:
        searcher.search([question], way, K)
    return (time.perf_counter() - began) / len(questions) * 1000


class Spent:
    """Seconds of all attempts, by stage: of the clock, and of the processors, the model's process included."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._all: dict[str, list[float]] = checkpoint.load_json("spent") or {}
        self._stage, self._clock, self._used = "", time.monotonic(), used()

    def tick(self, stage: str, done: int, total: int, unit: str) -> None:
        if stage == self._stage and time.monotonic() - self._clock < SAID:
            return
        now, now_used = time.monotonic(), used()
        if self._stage:
            seconds = self._all.setdefault(self._stage, [0.0, 0.0])
            seconds[0] += now - self._clock
            seconds[1] += now_used - self._used
        self._stage, self._clock, self._used = stage, now, now_used
        self._checkpoint.save_json("spent", self._all)
        print(f"{stage} {done:,} of {total:,} {unit}; {self.text()}", file=sys.stderr, flush=True)

    def text(self) -> str:
        return ", ".join(f"{stage}: {clock:.0f} s ({cpu:.0f} processor s)" for stage, (clock, cpu) in self._all.items())


def used() -> float:
    """Processor seconds of this process and of those that it started and that live, and of those that ended."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    living = sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children())
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime + float(living)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embed", default="", help="an embedding model of this machine: minilm, multilingual")
    parser.add_argument("--passages", type=int, default=0, help="of the large index; 0 leaves it out")
    parser.add_argument("--keep", type=Path, help="build the large index with embeddings, in this folder")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        measure(asked.one, asked.file)
        return
    if asked.keep:
        whole(asked.passages, asked.embed or "minilm", asked.keep)
        return
    for name in NAMES:
        on_set(name, asked.embed)
    if asked.passages:
        many(asked.passages)


if __name__ == "__main__":
    main()
