"""Training and dev rows with the passages that the winning arm's index finds for them, as a file of their own.

The file takes the place of the canonical rows: what is trained are its bytes, and its hash is part of what is approved.
No passage in which a dev or test question or its answer stands is put into a row: a model that learns it has seen what
it will be judged by.
"""

from collections.abc import Iterator, Mapping, Sequence

import orjson

from app.baselines import with_passages
from app.baselines.prompts import Passage, question
from app.blobs import Blob
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.jobs.claims import Claim, Failed
from app.recipes.passages_carried import CarriedPassages
from app.relevance import gold
from app.relevance import service as relevance
from app.relevance.gold import Row
from app.retrieval.settings import WAYS
from app.retrieval.tables import IndexRow

SPARE = 20  # passages more than are needed that are searched for, in place of those that are left out


def make(claim: Claim, dataset: DatasetRow, asked: CarriedPassages) -> CarriedPassages:
    """Look passages up for every training and dev row and store the file; what a recipe keeps of it.

    asked: see `recipes.passages.wanted`.

    Raises:
        Failed: the arm gives all documents, which rows cannot carry; or the index cannot be had.
    """
    if asked["way"] not in WAYS:
        raise Failed("The best prompt gives passages that training rows cannot carry: choose one that retrieves them.")
    with claim.read() as session:
        index = session.get_one(IndexRow, asked["index"])
        if index.sha256 != asked["sha256"]:
            raise Failed("The index is not the one that the best prompt was measured with. Measure again.")
        examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
        claim.report({"stage": "Looking for passages that give dev or test rows away"}, now=True)
        kept_apart = [
            Row(each.id, question(each.messages), each.target) for split in ("dev", "test") for each in examples[split]
        ]
        excluded = gold.given_away(kept_apart, (piece for piece, _, _ in relevance.pieces(session, claim.blobs, index)))
        claim.report({"stage": "Looking up passages for the training rows"}, now=True)
        rows = [*examples["train"], *examples["dev"]]
        depth = asked["k"] + (SPARE if excluded else 0)
        ranked = with_passages.search(claim, session, index, asked["way"], depth, rows)
        chosen = {
            row: [passage for passage, _ in hits if passage not in excluded][: asked["k"]]
            for row, hits in ranked.items()
        }
        ids = {passage for passages in chosen.values() for passage in passages}
        passages = with_passages.passages_of(session, claim.blobs, index.id, ids)
    blob = _stored(claim, dataset, examples, chosen, passages)
    short = sum(len(mine) < asked["k"] for mine in chosen.values())
    return {**asked, "rows_sha256": blob.sha256, "excluded": len(excluded), "rows": len(rows), "short": short}


def _stored(
    claim: Claim,
    dataset: DatasetRow,
    examples: Mapping[str, Sequence[Example]],
    chosen: Mapping[int, Sequence[int]],
    passages: Mapping[int, Passage],
) -> Blob:
    """The canonical rows, each of train and dev with its passages: [[id, title, text], ...]."""
    ids = {(split, row.line): row.id for split in ("train", "dev") for row in examples[split]}

    def lines() -> Iterator[bytes]:
        with claim.blobs.open(str(dataset.rows_sha256)) as file:
            for line in file:
                row = orjson.loads(line)
                number = ids.get((row["split"], int(row["line"])))
                if number is not None:
                    mine = (passages[passage] for passage in chosen.get(number, ()))
                    row["passages"] = [[passage.id, passage.title, passage.text] for passage in mine]
                yield orjson.dumps(row) + b"\n"

    return claim.blobs.put(lines())
