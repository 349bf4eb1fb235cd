"""Makes people and things for tests: a usual one, then what differs.

`make.ready()` is an assessment that the gate likes; each test names only what matters to it.
"""

import io
import json
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import Engine, insert, select
from sqlalchemy.orm import Session

from app.assessments.tables import AssessmentRow, ContributionRow
from app.baselines import arms
from app.baselines.arms import ArmResult, Scored
from app.baselines.tables import AnswerRow, ArmRow, BaselineRow
from app.blobs import Blobs
from app.datasets.checks import pipeline
from app.datasets.checks.pipeline import CheckInput
from app.datasets.checks.working_rows import WorkingRows
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.inference.tables import ModelRow
from app.recipes.tables import RecipeRow
from app.settings import Settings
from app.standing import keeping
from app.users import sessions
from app.users.passwords import Passwords
from app.users.tables import Role, UserRow

keeping.install()  # as every process of the app does; tests and benches that write import this

PASSWORD = "a long enough phrase"

# The founding text's positive example: comments in the in-house style.
ANSWERS: dict[str, Any] = {
    "goals": ["style", "format"],
    "main_goal": "style",
    "fact_change": "none",
    "sources": "no",
    "access_rights": "no",
    "corpus_tokens": 0,
    "rarity": "common",
    "examples_declared": 1500,
    "label_agreement": "high",
    "coverage": "broad",
    "recurrence": "ongoing",
    "calls_per_month": 300_000,
    "prompting_tried": "no",
    "metric": "exact_match",
    "target": 0.9,
    "holdout": "split",
    "latency": "normal",
    "data_location": "own_servers",
    "owner": "Docs platform team",
    "definition_changes": "stable",
    "checker_helps": "no",
    "stakes": "normal",
    "language_fit": "fine",
    "training_rights": "yes",
}


@cache
def _report() -> dict[str, Any]:
    """A real quality report, of a small file, for pages that show one."""
    rows = [
        json.dumps({"prompt": f"Comment {sha256(str(number).encode()).hexdigest()}", "completion": f"/** {number} */"})
        for number in range(40)
    ]
    with tempfile.TemporaryDirectory() as folder, WorkingRows(Path(folder) / "rows") as working:
        return pipeline.check(CheckInput(io.BytesIO("\n".join(rows).encode())), working).report.to_json()


def _tally(passed: int, total: int) -> ArmResult:
    """What the job would store for so many right answers."""
    return arms.tallied([Scored(float(index < passed)) for index in range(total)], binary=True, seed=7)


def sign_in(client: TestClient, engine: Engine, user: UserRow) -> None:
    """Give a client a session, as the sign-in page would."""
    with writing(engine) as session:
        secret = sessions.open_session(session, user, "test", utcnow())
    client.cookies.set("tunegate", secret)
    client.headers["origin"] = str(client.base_url).rstrip("/")


class Make:
    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.blobs = Blobs(settings.blobs_dir)
        self._number = 0

    def _next(self) -> int:
        self._number += 1
        return self._number

    # -------------------------------------------------------- people

    def user(self, role: Role = Role.AUTHOR, name: str = "", **different: Any) -> UserRow:
        number = self._next()
        keeper = Passwords(self.settings.hash_time, self.settings.hash_memory)
        with writing(self.engine) as session:
            user = UserRow(
                name=name or f"{role.value.title()} {number}",
                email=different.pop("email", f"{role.value}{number}@example.org"),
                role=role,
                password_hash=keeper.hash(different.pop("password", PASSWORD)),
                created_at=utcnow(),
                **different,
            )
            session.add(user)
        return user

    def author(self, name: str = "") -> UserRow:
        return self.user(Role.AUTHOR, name)

    def reviewer(self, name: str = "") -> UserRow:
        return self.user(Role.REVIEWER, name)

    def admin(self, name: str = "") -> UserRow:
        return self.user(Role.ADMIN, name)

    def creator(self, row: AssessmentRow) -> UserRow:
        """Who began it."""
        with reading(self.engine) as session:
            return session.get_one(UserRow, row.created_by)

    # -------------------------------------------------------- things

    def assessment(self, by: UserRow | None = None, **different: Any) -> AssessmentRow:
        by = by or self.author()
        now = utcnow()
        with writing(self.engine) as session:
            row = AssessmentRow(
                title=different.pop("title", "Code comments in our house style"),
                answers={**ANSWERS, **different.pop("answers", {})},
                metric_set_at=different.pop("metric_set_at", now),
                created_by=by.id,
                created_at=now,
                updated_at=now,
                **different,
            )
            session.add(row)
            session.flush()
            session.add(ContributionRow(assessment_id=row.id, user_id=by.id, what="created", at=now))
        return row

    def model(self, **different: Any) -> ModelRow:
        with writing(self.engine) as session:
            row = ModelRow(
                name=different.pop("name", f"Model {self._next()}"),
                kind=different.pop("kind", "folder"),
                files=different.pop("files", {"config.json": "0" * 64}),
                created_at=utcnow(),
                **different,
            )
            session.add(row)
        return row

    def dataset(
        self,
        assessment: AssessmentRow,
        by: UserRow,
        *,
        train: int = 1050,
        dev: int = 100,
        test: int = 220,
        **different: Any,
    ) -> DatasetRow:
        """A checked and frozen dataset with that many rows in each split."""
        lines = []
        with writing(self.engine) as session:
            row = DatasetRow(
                assessment_id=assessment.id,
                version=different.pop("version", 1),
                filename="pairs.jsonl",
                format="prompt_completion",
                bytes=1000,
                blob_sha256="0" * 64,
                state=different.pop("state", "ready"),
                human_checked=different.pop("human_checked", True),
                train_rows=train,
                dev_rows=dev,
                test_rows=test,
                usable_rows=train + dev,
                report_json={**_report(), "uploaded": train + dev + test, "contradiction_rate": 0.0},
                uploaded_by=by.id,
                uploaded_at=utcnow(),
                frozen_at=different.pop("frozen_at", utcnow()),
                **different,
            )
            session.add(row)
            session.flush()
            examples: list[dict[str, Any]] = []
            for split, rows in (("train", train), ("dev", dev), ("test", test)):
                for number in range(len(examples) + 1, len(examples) + rows + 1):
                    examples.append(
                        {
                            "dataset_id": row.id,
                            "line": number,
                            "status": "usable",
                            "split": split,
                            "messages": [{"role": "user", "content": f"Comment function number {number}"}],
                            "target": f"/** Does {number}. */",
                        }
                    )
                    lines.append(f"{number} {split}")
            if examples:
                session.execute(insert(ExampleRow), examples)
            row.rows_sha256 = self.blobs.put_bytes("\n".join(lines).encode()).sha256
            row.split_sha256 = sha256("\n".join(lines).encode()).hexdigest()
        return row

    def baseline(
        self,
        assessment: AssessmentRow,
        dataset: DatasetRow,
        model: ModelRow,
        by: UserRow,
        *,
        passed: int = 150,
        **different: Any,
    ) -> BaselineRow:
        """A concluded run: four arms on dev, the nearest examples best and once on test with `passed` right answers."""
        total = dataset.test_rows
        with writing(self.engine) as session:
            row = BaselineRow(
                assessment_id=assessment.id,
                dataset_id=dataset.id,
                model_id=model.id,
                metric="exact_match",
                target=0.9,
                instructions="Write the comment.",
                metric_set_at=assessment.metric_set_at,
                test_looks=[
                    {"arm": "few_shot_nearest", "title": "Nearest", "at": utcnow().isoformat(), "why": "best on dev"}
                ],
                created_by=by.id,
                created_at=utcnow(),
                concluded_at=utcnow(),
                **different,
            )
            session.add(row)
            session.flush()
            random: list[tuple[str, str, dict[str, Any]]] = [
                ("few_shot_random", f"few_shot_random/{draw}", {"shots": "random", "k": 3, "seed": draw})
                for draw in (1, 2, 3)
            ]
            for family, name, settings in [
                ("zero_shot", "zero_shot", {}),
                *random,
                ("few_shot_nearest", "few_shot_nearest", {"shots": "nearest", "k": 5}),
                ("revised_prompt", "revised_prompt/1", {"shots": "nearest", "k": 5, "instructions": "In one line."}),
            ]:
                best = family == "few_shot_nearest"
                right = round(dataset.dev_rows * (0.7 if best else 0.5))
                arm = ArmRow(
                    baseline_id=row.id,
                    family=family,
                    name=name,
                    title=name,
                    settings=settings,
                    dev=_tally(right, dataset.dev_rows),
                    test=_tally(passed, total) if best else None,
                )
                session.add(arm)
                session.flush()
                self._answers(session, arm, dataset, right, "dev", tagged=best)
                if best:
                    self._answers(session, arm, dataset, passed, "test")
        return row

    @staticmethod
    def _answers(
        session: Session, arm: ArmRow, dataset: DatasetRow, passed: int, split: str, *, tagged: bool = False
    ) -> None:
        rows = session.execute(
            select(ExampleRow.id, ExampleRow.target)
            .where(ExampleRow.dataset_id == dataset.id, ExampleRow.split == split)
            .order_by(ExampleRow.id)
        )
        answers = [
            {
                "arm_id": arm.id,
                "split": split,
                "example_id": example,
                "status": "ok",
                "output": target if index < passed else "?",
                "score": 1.0 if index < passed else 0.0,
                "created_at": utcnow(),
                "cause": "behaviour" if split == "dev" and tagged and index >= passed else None,
            }
            for index, (example, target) in enumerate(rows)
        ]
        if answers:
            session.execute(insert(AnswerRow), answers)

    def recipe(self, assessment: AssessmentRow, model: ModelRow, by: UserRow, **settings: Any) -> RecipeRow:
        with writing(self.engine) as session:
            row = RecipeRow(
                assessment_id=assessment.id,
                model_id=model.id,
                settings={"rank": 16, "alpha": 32, **settings},
                updated_by=by.id,
                updated_at=utcnow(),
            )
            session.add(row)
        return row

    def ready(self, by: UserRow | None = None, **different: Any) -> AssessmentRow:
        """An assessment in which every criterion passes and a recipe is there: only the review is missing."""
        by = by or self.author()
        assessment = self.assessment(by, **different)
        dataset = self.dataset(assessment, by)
        model = self.model()
        self.baseline(assessment, dataset, model, by)
        self.recipe(assessment, model, by)
        return assessment
