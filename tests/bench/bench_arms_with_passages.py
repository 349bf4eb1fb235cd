"""What passages add on the bundled model: closed book, RAG in each way, the gold passage, on real sets.

    python tests/bench/bench_arms_with_passages.py rag_wiki rag_pyfaq [--dev 40] [--test 60] [--out RESULT.json]

Sets are folders under TUNEGATE_SETS with `docs/`, `questions.jsonl` (question, answer, doc) and, where there are some,
`unanswerable.jsonl`. Rows are drawn with a seed; documents are read and indexed with the bundled embedding model.
Prints recall@5 of each way on the dev rows, then each arm's score with its interval, `oracle_gain`, how wrong answers
came about, how often the model refuses, and what the advice says then. Takes some ten minutes a set on two cores.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sqlalchemy import Engine

from app import schema
from app.assessments import store as assessment_store
from app.baselines import facts, passages_view, runs, store
from app.baselines import job as baseline_job
from app.baselines.order import BaselineRequest
from app.baselines.passage_use import NOT_THERE, Share
from app.baselines.tables import ArmRow
from app.blobs import Blobs
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import make_engine, reading, writing
from app.gate import evidence
from app.inference import service as models
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.relevance import service as relevance
from tests.support.corpus import Corpus
from tests.support.factories import Make
from tests.support.places import ROOT, SETS
from tests.support.processes import cheap

TRAIN, UNANSWERABLE = 60, 0.15  # rows to learn from; share of dev and test rows whose answer is in no document
INSTRUCTIONS = {
    "rag_wiki": "Answer the question in as few words as possible.",
    "rag_pyfaq": "Answer the question about Python in a few sentences.",
}
METRIC = {"rag_wiki": "normalised_match", "rag_pyfaq": "rouge_l"}
ARMS = ("zero_shot", "rag/lexical", "rag/embedding", "rag/hybrid", "oracle")


def rows_of(folder: Path, dev: int, test: int, seed: int = 7) -> dict[str, list[dict[str, str]]]:
    """Questions with their answers and documents, drawn for each split."""
    draw = random.Random(seed)
    asked = [json.loads(line) for line in (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [{"prompt": one["question"], "completion": one["answer"], "doc": one["doc"]} for one in asked]
    draw.shuffle(rows)
    none = folder / "unanswerable.jsonl"
    lines = none.read_text(encoding="utf-8").splitlines() if none.exists() else []
    absent = [{"prompt": json.loads(line)["question"], "completion": NOT_THERE} for line in lines]
    draw.shuffle(absent)
    splits = {"train": [rows.pop() for _ in range(min(TRAIN, len(rows) - dev - test))]}
    for split, number in (("dev", dev), ("test", test)):
        without = min(round(UNANSWERABLE * number), len(absent))
        splits[split] = [absent.pop() for _ in range(without)] + [rows.pop() for _ in range(number - without)]
    return splits


def a_use_case(
    make: Make, engine: Engine, blobs: Blobs, splits: Mapping[str, Sequence[Mapping[str, str]]], name: str
) -> Any:
    """An assessment with these rows, frozen."""
    author = make.author()
    answers = {"metric": METRIC[name], "target": 0.8, "goals": ["facts"]}
    assessment = make.assessment(author, title=name, answers=answers)
    sizes = {split: len(rows) for split, rows in splits.items()}
    dataset = make.dataset(assessment, author, **sizes)
    every = [(split, row) for split in ("train", "dev", "test") for row in splits[split]]
    lines = [json.dumps(row, ensure_ascii=False).encode() for _, row in every]
    with writing(engine) as session:
        for row in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            mine = every[row.line - 1][1]
            row.messages, row.target = [{"role": "user", "content": mine["prompt"]}], mine["completion"]
        stored = session.get_one(DatasetRow, dataset.id)
        stored.blob_sha256 = blobs.put_bytes(b"\n".join(lines)).sha256
        columns: list[dict[str, Any]] = [{"name": column, "samples": []} for column in ("prompt", "completion", "doc")]
        stored.report_json = {**stored.report_json, "layout": "JSON lines", "columns": columns}
    return assessment, author, dataset


def one_set(name: str, dev: int, test: int) -> dict[str, Any]:
    """All of it for one set."""
    with tempfile.TemporaryDirectory() as folder:
        settings = cheap(Path(folder)).model_copy(update={"assets": ROOT / "assets"})
        schema.migrate(settings.url)
        engine = make_engine(settings.url)
        queue = job_engine.Client(settings.url)
        try:
            make, blobs = Make(engine, settings), Blobs(settings.blobs_dir)
            assessment, author, dataset = a_use_case(make, engine, blobs, rows_of(SETS / name, dev, test), name)
            corpus = Corpus(engine, settings, queue, blobs, assessment, author, dataset)
            corpus.add(*((path.name, path.read_bytes()) for path in sorted((SETS / name / "docs").iterdir())))
            return _measured(corpus, name)
        finally:
            queue.close()
            engine.dispose()


def _measured(corpus: Corpus, name: str) -> dict[str, Any]:
    began = time.monotonic()
    index = corpus.index(size=200, overlap=20, embedder="minilm")
    check = corpus.check()
    with reading(corpus.engine) as session:
        quality = relevance.quality(session, check)
    with writing(corpus.engine) as session:
        jobs.bind(session, corpus.queue)
        model_id = models.bundled(session).id
        order = BaselineRequest(
            model_id=model_id, instructions=INSTRUCTIONS[name], arms=ARMS, max_tokens=96, racing=False, consent=True
        )
        number = runs.start(session, corpus.assessment.id, order, by=corpus.author).id
    corpus.run("measure", number, baseline_job.measure)
    with reading(corpus.engine) as session:
        baseline = store.get(session, number)
        gain = facts.oracle_gain(session, baseline)
        gathered = evidence.gather(session, assessment_store.get(session, corpus.assessment.id))
        advised = evidence.judge(gathered)
        arms = {arm.name: _of_arm(session, arm) for arm in baseline.arms if not arm.family.startswith("trivial")}
    return {
        "set": name,
        "passages": index.passages,
        "recall@5": {
            one.way: [round(number, 3) for number in (one.at(5).share, *one.at(5).interval)] for one in quality.rankings
        },
        "mrr": {one.way: round(one.mrr, 3) for one in quality.rankings},
        "judged_dev_rows": quality.rankings[0].at(5).rows if quality.rankings else 0,
        "best_way": quality.best.way if quality.best else None,
        "arms": arms,
        "oracle_gain": [round(part, 3) for part in (gain.delta, gain.low, gain.high)] if gain else None,
        "advice": {"approach": advised.approach, "training": advised.training, "leaning": advised.leaning},
        "seconds": round(time.monotonic() - began),
    }


def _of_arm(session: Any, arm: ArmRow) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for split, result in (("dev", arm.dev), ("test", arm.test)):
        if result is not None:
            found[split] = [round(number, 3) for number in (result.score, result.low, result.high)] + [result.n]
    summary = passages_view.summary(session, store.arm(session, arm.id), "dev")
    if summary is not None:
        found["failures"] = dict(summary.failures)
        found["refused"] = [_share(summary.refusals.rightly), _share(summary.refusals.wrongly)]
    return found


def _share(share: Share) -> str:
    return f"{share.some} of {share.rows}"


def main() -> None:
    """Run it and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="+", choices=list(METRIC))
    parser.add_argument("--dev", type=int, default=40)
    parser.add_argument("--test", type=int, default=60)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = [one_set(name, given.dev, given.test) for name in given.sets]
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
