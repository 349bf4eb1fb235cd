"""Requests that the API's own description makes possible, sent to the whole app, and answers held against it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import CheckFunction
from schemathesis.schemas import APIOperation

from app.web.security import Web

# The name by which schemathesis calls an app in its own process; an installation has to answer to it.
HOST = "testserver"


def operations(app: Web) -> list[Any]:
    """Every operation of the description, as it is served."""
    schema = schemathesis.openapi.from_dict(app.openapi(), config=schemathesis.Config())
    return [found.ok() for found in schema.get_all_operations()]


@dataclass
class Fuzz:
    """Sends requests as somebody to one app. `ids` is what is put into a path, so that something is found there.

    broken: what went wrong, once for each operation and kind of failure.
    """

    app: Web
    token: str
    checks: Sequence[CheckFunction]
    ids: dict[str, Any]
    broken: dict[str, str] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)

    def send(self, operation: APIOperation, mode: GenerationMode, examples: int) -> None:
        """Send so many requests; the same ones in every run."""
        cases = operation.as_strategy(generation_mode=mode)

        @settings(
            max_examples=examples,
            phases=[Phase.generate],
            database=None,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(cases, st.integers(0, 4))
        def one(case: Case, aim: int) -> None:
            if aim and mode == GenerationMode.POSITIVE:  # a number by chance is nobody's id
                known = {name: self.ids.get(name, value) for name, value in case.path_parameters.items()}
                case.path_parameters = known
            self._ask(case)

        one()

    def _ask(self, case: Case) -> None:
        label = case.operation.label
        try:
            answer = case.call(app=self.app, headers={"Authorization": f"Bearer {self.token}"})
            self.statuses[answer.status_code] = self.statuses.get(answer.status_code, 0) + 1
            case.validate_response(answer, checks=list(self.checks))
        except* Exception as group:  # noqa: BLE001 - whatever a request leads to is what is looked for
            for failure in _leaves(group):
                kind = type(failure).__name__
                self.broken.setdefault(f"{label}: {kind}", f"{failure}\n{case.as_curl_command()}"[:1500])


def _leaves(group: BaseExceptionGroup[Any]) -> Iterator[BaseException]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _leaves(one)
        else:
            yield one


Made = Callable[[], Fuzz]
