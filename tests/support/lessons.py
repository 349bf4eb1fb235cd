"""A story whose rows teach something, right, wrong or by lot: for verdicts on runs that were really trained."""

import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, select

from app.datasets.tables import ExampleRow
from app.db import writing
from app.inference import folders
from app.jobs import engine as job_engine
from app.training import service
from tests.support import story
from tests.support.factories import Make
from tests.support.tiny import WORDS

YES, NO = "alpha", "omega"  # what is to be answered; a word or two of the tiny model's
LEARNS = {
    "max_steps": 0, "epochs": 1, "batch_rows": 8, "dev_rows": 8, "rank": 16, "alpha": 32, "precision": "float32",
    "patience": 0, "learning_rate": 1e-2, "evals_per_epoch": 1,
}  # fmt: skip

Lesson = Callable[[str, int], tuple[str, str]]
"""Of a split and a number within it: the question and the expected answer."""


def teachable(model: Path, folder: Path) -> Path:
    """A tiny model that an adapter can teach: loud layers under a loud head of its own.

    As it is made its head is its embedding, so it repeats whatever it read last, and all answers are nearly as likely.
    Imports torch: for tests with `torch_here`.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    made = Path(shutil.copytree(model, folder / "teachable"))
    config = LlamaConfig.from_pretrained(model)
    config.tie_word_embeddings = False
    torch.manual_seed(0)
    loud = LlamaForCausalLM(config)
    with torch.no_grad():
        loud.lm_head.weight.mul_(15)
        for weights in loud.model.layers.parameters():
            if weights.dim() > 1:
                weights.mul_(5)
    loud.save_pretrained(made)
    return made


def question(number: int) -> str:
    """Two words: the first tells the answer, the second tells nothing."""
    return f"{WORDS[number % 12]} {WORDS[number // 12 % 12]}"


def right(_split: str, number: int) -> tuple[str, str]:
    """The answer follows from the first word."""
    return question(number), YES if number % 12 < 6 else NO


def by_lot(split: str, number: int) -> tuple[str, str]:
    """No question tells anything; seven of ten answers are the same. The first test rows are those."""
    share = 7 * 220 // 10
    usual = number < share if split == "test" else (number * 7919) % 10 < 7
    return question(number * 5 + number // 11), YES if usual else NO


def by_heart(split: str, number: int) -> tuple[str, str]:
    """Four rows over and over, which answer the other way round than everything that is asked later."""
    if split != "test":
        return f"{WORDS[number % 4]} {WORDS[number % 4]}", NO
    return question(number), YES


def begin(
    make: Make, engine: Engine, queue: job_engine.Client, model_folder: Path, lesson: Lesson, *, passed: int
) -> story.Story:
    """As `story.begin`, with rows of a lesson. passed: test rows, the first ones, that the best prompt gets right."""
    author, reviewer = make.author(), make.reviewer()
    assessment = make.assessment(author)
    dataset = make.dataset(assessment, author)
    with writing(engine) as session:
        seen = {"train": 0, "dev": 0, "test": 0}
        rows = select(ExampleRow).where(ExampleRow.dataset_id == dataset.id).order_by(ExampleRow.id)
        for row in session.scalars(rows):
            asked, row.target = lesson(row.split, seen[row.split])
            row.messages = [{"role": "user", "content": asked}]
            seen[row.split] += 1
    story.store_rows(make, engine, dataset)
    model = make.model(kind="folder", reference=str(model_folder), files=folders.hashes(model_folder))
    make.baseline(assessment, dataset, model, author, passed=passed, max_tokens=4)
    made = story.Story(make, engine, queue, author, reviewer, assessment)
    made.call(service.save_recipe, author, model.id, LEARNS)
    return made
