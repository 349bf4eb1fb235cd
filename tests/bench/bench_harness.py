"""The same rows scored by us and, through `/v1/chat/completions`, by EleutherAI's harness: the numbers and the texts.

    python tests/bench/bench_harness.py MODEL_FOLDER LM_EVAL_PYTHON [PRECISION] [ROWS] [LABELS]

MODEL_FOLDER: the embedded model as the app sets it up. LM_EVAL_PYTHON: a Python that has `lm-eval[api]`, in an
environment of its own. PRECISION: float32, or bfloat16, in which how rows are batched changes digits, and with them
words. Rows are intents (banking77) of the LABELS commonest labels of `tests/data`. A measurement of
ours asks zero-shot, three random examples and five nearest; each is served by its name, and the harness sends nothing
but the question. Last the harness brings the instructions itself and asks the model alone.
"""

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from app.inference.local_protocol import Dtype

sys.path.insert(0, str(Path(__file__).parents[2]))

from sqlalchemy import select

from app import schema
from app.audit import service as audit
from app.baselines import answer_store, job
from app.baselines.tables import ArmRow
from app.datasets.tables import ExampleRow
from app.db import engine_for, reading, utcnow, writing
from app.inference import folders
from app.jobs import engine as job_engine
from app.main import create_app
from app.serving.tables import ServedRow
from app.settings import Settings
from app.users import identity, tokens
from tests.support import measured
from tests.support.browser import serving
from tests.support.factories import Make
from tests.support.loose import loose
from tests.support.places import DATA

TASK = """task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{rows}"}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{target}}}}"
generation_kwargs: {{until: [], max_gen_toks: {tokens}, temperature: 0.0}}
filter_list: [{{name: trimmed, filter: [{{function: remove_whitespace}}, {{function: take_first}}]}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1}}
"""
TOKENS = 16
MODEL_ALONE = "smollm2-135m-instruct"


def pairs(labels: int, rows: int) -> list[dict[str, str]]:
    """Rows of the commonest labels, mixed with a seed; enough for training and twice `rows`."""
    file = DATA / "intent_banking77" / "train_700.jsonl"
    every = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    known = {label for label, _ in Counter(row["completion"] for row in every).most_common(labels)}
    mine = [row for row in every if row["completion"] in known]
    random.Random(7).shuffle(mine)
    if len(mine) < 3 * rows:
        raise SystemExit(f"{labels} labels have {len(mine)} rows, too few for {rows} test rows")
    return mine


class Place:
    """An installation in a folder of its own, with one measurement."""

    def __init__(self, root: Path, model: Path, dtype: Dtype, labels: int, rows: int) -> None:
        self.settings = Settings(data=root, threads=len(os.sched_getaffinity(0)), hash_time=1, hash_memory=8)
        schema.migrate(self.settings.url)
        self.engine = engine_for(self.settings)
        make, data = Make(self.engine, self.settings), pairs(labels, rows)
        author = make.author()
        assessment = make.assessment(author, answers={"metric": "exact_match", "target": 0.9})
        dataset = make.dataset(assessment, author, train=len(data) - 2 * rows, dev=rows, test=rows)
        with writing(self.engine) as session:
            for example in session.scalars(select(ExampleRow)):
                row = data[example.line - 1]
                example.messages, example.target = [{"role": "user", "content": row["prompt"]}], row["completion"]
        self.model = make.model(name=MODEL_ALONE, kind="folder", reference=str(model), files=folders.hashes(model))
        names = ", ".join(sorted({row["completion"] for row in data}))
        self.instructions = f"Answer with one of these labels and nothing else: {names}."
        case = measured.Case(assessment, dataset, self.model, author)
        queue = job_engine.Client(self.settings.url)
        started = measured.started(
            self.engine, queue, case, instructions=self.instructions, max_tokens=TOKENS, racing=False
        )
        with writing(self.engine) as session:
            for arm in session.scalars(select(ArmRow)):
                arm.settings = {**arm.settings, "dtype": dtype}
        began = time.perf_counter()
        job.measure(measured.claim_of(self.engine, self.settings, queue, started.id))
        self.seconds = time.perf_counter() - began
        queue.close()
        self.baseline = measured.baseline_of(self.engine, started.id)
        with writing(self.engine) as session:
            who, now = identity.Who(author), utcnow()
            _, self.token = tokens.add_token(
                session, who, name="harness", scope="ask", days=1, now=now, record=audit.record
            )
            on = {"model_id": self.model.id, "on_by": author.id, "on_at": now}
            session.add(ServedRow(name=MODEL_ALONE, kind="model", **on))
            for arm in self.asked():
                session.add(ServedRow(name=arm.name.replace("/", "-"), kind="prompt", arm_id=arm.id, **on))

    def asked(self) -> list[ArmRow]:
        wanted = ("zero_shot", "few_shot_random/1", "few_shot_nearest")
        return [arm for arm in self.baseline.arms if arm.name in wanted]

    def rows(self, file: Path) -> Path:
        """The dev rows, which every variant was asked, as the harness reads them."""
        with reading(self.engine) as session:
            rows = session.scalars(select(ExampleRow).where(ExampleRow.split == "dev").order_by(ExampleRow.id))
            lines = [{"id": row.id, "question": row.messages[0]["content"], "target": row.target} for row in rows]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return file

    def texts(self, arm: ArmRow) -> dict[int, tuple[str, float | None]]:
        with reading(self.engine) as session:
            answers = answer_store.answers(session, arm.id, "dev")
        return {answer.example_id: (answer.output, answer.score) for answer in answers}


def harness(python: str, address: str, token: str, model: str, root: Path, *, system: str = "") -> tuple[float, Any]:
    """The harness's number and its samples by row."""
    arguments = f"model={model},base_url={address}/v1/chat/completions,num_concurrent=8,max_retries=3"
    out = root / f"out-{model}{'-system' if system else ''}"
    command = [python, "-m", "lm_eval", "--model", "local-chat-completions", "--model_args", arguments]
    command += ["--tasks", "intents", "--include_path", str(root / "tasks"), "--apply_chat_template"]
    command += ["--log_samples", "--output_path", str(out)]
    if system:
        command += ["--system_instruction", system]
    env = {**os.environ, "OPENAI_API_KEY": token, "HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1"}
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=root)
    if ran.returncode:
        raise SystemExit(ran.stderr[-3000:])
    (summary,) = [json.loads(path.read_text(encoding="utf-8")) for path in out.rglob("results_*.json")]
    (samples,) = list(out.rglob("samples_*.jsonl"))
    by_row = {}
    for line in samples.read_text(encoding="utf-8").splitlines():
        sample = json.loads(line)
        by_row[sample["doc"]["id"]] = sample["resps"][0][0]
    return summary["results"]["intents"]["exact_match,trimmed"], by_row


def main(model: Path, python: str, dtype: Dtype, rows: int, labels: int) -> None:
    version = subprocess.run(
        [python, "-c", "import importlib.metadata as m; print(m.version('lm_eval'))"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        place = Place(root / "data", model, dtype, labels, rows)
        print(f"lm-eval {version}; {rows} rows of {labels} labels, {dtype}; measured in {place.seconds:.0f} s")
        (root / "tasks").mkdir()
        task = TASK.format(name="intents", rows=place.rows(root / "rows.jsonl"), tokens=TOKENS)
        (root / "tasks" / "intents.yaml").write_text(task, encoding="utf-8")
        print("| asked as | ours | lm-eval | rows with the same text | s |")
        print("| --- | --- | --- | --- | --- |")
        with serving(create_app(place.settings)) as address:
            for arm in place.asked():
                _line(place, arm, arm.name.replace("/", "-"), python, address, root)
            zero = next(arm for arm in place.asked() if arm.name == "zero_shot")
            _line(place, zero, MODEL_ALONE, python, address, root, system=place.instructions)


def _line(place: Place, arm: ArmRow, name: str, python: str, address: str, root: Path, *, system: str = "") -> None:
    began = time.perf_counter()
    score, texts = harness(python, address, place.token, name, root, system=system)
    seconds = time.perf_counter() - began
    mine = place.texts(arm)
    same = sum(re.sub(r"\s+$", "", texts[row]) == re.sub(r"\s+$", "", text) for row, (text, _) in mine.items())
    ours = arm.dev.score if arm.dev else 0.0
    who = f"`{name}`{', the system prompt from the harness' if system else ''}"
    print(f"| {who} | {ours:.3f} | {score:.3f} | {same} of {len(mine)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    precision, *numbers = sys.argv[3:] or ["float32"]
    main(
        Path(sys.argv[1]),
        sys.argv[2],
        loose(precision),
        *([int(number) for number in numbers] + [40, 6][len(numbers) :]),
    )
