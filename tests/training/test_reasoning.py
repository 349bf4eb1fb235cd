"""Reasoning that is trained before the answer: prepared, trained and evaluated with thinking on, scored without it."""

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from app.baselines import asking
from app.baselines import store as baseline_store
from app.baselines.tables import BaselineRow
from app.datasets import store as dataset_store
from app.datasets.reading.read_as import ReadAs
from app.db import reading, writing
from app.inference import folders
from app.inference.tables import ModelRow
from app.recipes.preflights import Preflight
from app.results import card
from app.results import job as results_job
from app.results import service as results
from app.training import service
from tests.support.story import Story

THINKING = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.reasoning_content %}<think>\n{{ message.reasoning_content }}\n</think>\n\n{% endif %}"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@pytest.fixture
def thinking(story: Story, tiny_model: Path, tmp_path: Path) -> Story:
    """A story whose rows have reasoning, which is to be trained, and whose model's template knows of it."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "thinking"))
    told = json.loads((folder / "tokenizer_config.json").read_text())
    told.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    (folder / "chat_template.jinja").write_text(THINKING)
    with writing(story.engine) as session:
        model = session.scalars(select(ModelRow)).one()
        model.reference, model.files = str(folder), folders.hashes(folder)
        dataset = dataset_store.current(session, story.assessment.id)
        assert dataset is not None
        dataset.read_as = ReadAs(reasoning="train")
        session.scalars(select(BaselineRow)).one().thinks = True
        rows = story.make.blobs.path(str(dataset.rows_sha256)).read_text().splitlines()
        lines = [json.dumps(json.loads(row) | {"reasoning": "First look."}) for row in rows]
        dataset.rows_sha256 = story.make.blobs.put_bytes("\n".join(lines).encode()).sha256
    return story


@pytest.mark.torch
@pytest.mark.deep
@pytest.mark.parametrize("stop_by", ["loss", "metric"])
def test_reasoning_from_the_preflight_to_the_result(thinking: Story, stop_by: str) -> None:
    thinking.recipe(max_steps=2, evals_per_epoch=1, stop_by=stop_by, scored_rows=10, replay=0.1)
    thinking.preflight()
    with reading(thinking.engine) as session:
        row, _ = service.recipe_of(session, thinking.assessment.id)
        assert row is not None
        report: Preflight = row.preflight or {}
    assert report["blockers"] == []
    assert all(one["completion"].startswith("<think>\nFirst look.\n</think>\n\n/**") for one in report["samples"])
    assert all(one["prompt"].endswith("assistant\n") for one in report["samples"])
    assert not any("<think>" in one["completion"] for one in report["replay_samples"])
    thinking.approve()
    launched = thinking.launch()

    results_job.train(thinking.claim(thinking.train_job(launched)))

    run = thinking.run(launched)
    assert run.state == "done"
    assert run.result is not None
    with reading(thinking.engine) as session:
        outcome = results.outcome(session, run.id)
        card_text = card.card(results.facts(session, outcome))
        assert outcome.adapter is not None
        prepared = asking.preparation(baseline_store.arm(session, outcome.adapter.id), ())
    assert prepared.thinks
    assert "Ask it with thinking on" in card_text
    assert "loss on reasoning and answers only" in card_text
