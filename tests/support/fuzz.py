"""Requests that the API's own description makes possible, sent to the whole app, and answers held against it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import utcnow, writing
from app.jobs.tables import JobRow, Status
from app.sharing import service as sharing
from app.users import tokens
from app.users.identity import Who
from app.users.tables import UserRow
from app.web.security import Web
from tests.support.factories import Make
from tests.support.trained import trained

Operation = APIOperation[Any, Any, Any, Any]

# The name by which schemathesis calls an app in its own process; an installation has to answer to it.
HOST = "testserver"

# What `furnish` makes; put into paths, so that something is found there. The account is nobody's who asks here: whoever
# sends the requests would be out after the first that closes it.
IDS = {"user_id": 4} | dict.fromkeys(
    ("assessment_id", "dataset_id", "model_id", "baseline_id", "arm_id", "review_id", "training_id", "job_id",
     "share_id", "token_id", "line", "cluster"), 1,
)  # fmt: skip

# A text that is too long may be too large for a request as well (413). Otherwise as schemathesis has it, without 5xx.
REFUSED = ["400", "401", "403", "404", "409", "413", "415", "422", "428", "429"]
# The credential is `Fuzz`'s to send: a wrong one made up in its place would say nothing about the operation.
CONFIG = {
    "generation": {"with-security-parameters": False},
    "checks": {"negative_data_rejection": {"expected-statuses": REFUSED}},
}

# How often a path aims at what is there: three times in four.
AIM = st.integers(0, 3)


def furnish(make: Make) -> dict[str, str]:
    """One of most things: a run that was judged with all that it needs, a job, a link. Gives tokens by role."""
    trained(make)
    admin = make.admin()
    assert make.author().id == IDS["user_id"]
    with writing(make.engine) as session:
        author = session.scalars(select(UserRow).where(UserRow.name == "Ada")).one()
        session.add(
            JobRow(kind="check", title="x", subject_id=1, queue="cpu", status=Status.RUNNING, created_at=utcnow())
        )
        sharing.share(session, 1, author, label="The board", days=7, most_days=90)
        _write_rows(session, make)

        def token(user: UserRow) -> str:
            made = tokens.add_token(
                session, Who(user), name="x", scope="launch", days=9, now=utcnow(), record=audit.record
            )
            return made[1]

        token(author)  # the one with the id 1, to be revoked
        return {"author": token(author), "admin": token(admin)}


def _write_rows(session: Session, make: Make) -> None:
    """The rows as the app writes them, in place of the factory's few words: they are exported and compared."""
    dataset = session.get_one(DatasetRow, 1)
    rows = session.scalars(select(ExampleRow).order_by(ExampleRow.line))
    lines = [
        orjson.dumps(
            {"line": row.line, "messages": row.messages, "target": row.target, "split": row.split, "id": row.line}
        )
        for row in rows
    ]
    dataset.rows_sha256 = make.blobs.put_bytes(b"\n".join([*lines, b""])).sha256


def operations(app: Web) -> list[Operation]:
    """Every operation of the description, as it is served."""
    schema = schemathesis.openapi.from_dict(app.openapi(), config=schemathesis.Config.from_dict(CONFIG))
    read = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(read) == len(schema), "an operation is described in a way that cannot be read"
    return read


@dataclass
class Fuzz:
    """Sends requests to one app as whoever has the token, the same ones in every run.

    broken: what went wrong, the first time for each operation and kind of failure. statuses: how often each came.
    """

    app: Web
    token: str
    checks: Sequence[CheckFunction]
    broken: dict[str, str] = field(default_factory=dict)
    statuses: Counter[int] = field(default_factory=Counter)

    def send(self, operation: Operation, mode: GenerationMode, examples: int) -> None:
        """So many requests to one operation, all of them right or each with something wrong in it."""

        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            database=None,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode), AIM)
        def ask_once(case: Case[Any], aim: int) -> None:
            if aim and mode == GenerationMode.POSITIVE:
                case.path_parameters = {name: IDS.get(name, value) for name, value in case.path_parameters.items()}
            self._ask(case)

        try:
            ask_once()
        except Unsatisfiable:
            assert mode == GenerationMode.NEGATIVE, operation.label  # nothing is asked for that could be wrong

    def _ask(self, case: Case[Any]) -> None:
        try:
            answer = case.call(app=self.app, headers={"Authorization": f"Bearer {self.token}"})
            self.statuses[answer.status_code] += 1
            case.validate_response(answer, checks=list(self.checks))
        except* Exception as group:  # noqa: BLE001 - whatever a request leads to is what is looked for
            for failure in _leaves(group):
                what = f"{case.operation.label}: {type(failure).__name__}"
                self.broken.setdefault(what, f"{failure}\n{case.as_curl_command()}"[:1500])


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for failure in group.exceptions:
        if isinstance(failure, BaseExceptionGroup):
            yield from _leaves(failure)
        else:
            yield failure
