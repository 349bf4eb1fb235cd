"""The API against its own description: whatever it says may be sent is answered as it says, and never with a crash.

Left out, and why:
- positive_data_acceptance: the description says what can be read, not what is there and what state it is in; most of
  the 404 and 409 here are right.
- missing_required_header, unsupported_method, ignored_auth: `tests/web` goes through every route for these.
- use_after_free and the like follow links between operations, which the description does not have.
"""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from schemathesis import GenerationMode
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.db import engine_for
from app.main import create_app
from app.settings import Settings
from app.web.security import Web
from tests.support.depth import depth
from tests.support.factories import Make
from tests.support.fuzz import HOST, Fuzz, Operation, furnish, operations
from tests.support.processes import cheap
from tests.support.ready import ready

log = logging.getLogger(__name__)

CONFORMS: tuple[CheckFunction, ...] = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
# Right requests, and as many wrong ones, to each of the operations.
EXAMPLES = 15


@dataclass
class Installed:
    """A furnished installation, what its API can do, and the tokens of its people by role."""

    app: Web
    operations: list[Operation]
    tokens: dict[str, str]


def installed(settings: Settings) -> Iterator[Installed]:
    engine = engine_for(settings)
    tokens = furnish(Make(engine, settings))
    engine.dispose()
    app = ready(create_app, settings.model_copy(update={"hosts": (HOST,)}))
    yield Installed(app, operations(app), tokens)
    app.state.context.jobs.close()
    app.state.context.engine.dispose()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Installed]:
    settings = cheap(tmp_path_factory.mktemp("described"))
    shutil.copy(template, settings.data / "tunegate.db")
    yield from installed(settings)


@pytest.fixture
def on_either(either: Settings) -> Iterator[Installed]:
    yield from installed(either)


@pytest.mark.long("makes up and sends a request for every ninth operation")
def test_an_ordinary_request_to_each_operation_is_answered_as_described(here: Installed) -> None:
    fuzz = Fuzz(here.app, here.tokens["admin"], CONFORMS)
    asked = here.operations[:: depth(9, 1)]

    for operation in asked:
        fuzz.send(operation, GenerationMode.POSITIVE, 1)

    assert fuzz.broken == {}
    assert len(here.operations) > 110
    assert sum(fuzz.statuses.values()) == len(asked)
    assert fuzz.statuses[200] > len(asked) / 4, fuzz.statuses
    assert not fuzz.statuses[401], "nobody lost their token on the way"


@pytest.mark.deep
@pytest.mark.parametrize("role", ["author", "admin"])
def test_every_answer_is_one_that_the_description_has(on_either: Installed, role: str) -> None:
    fuzz = Fuzz(on_either.app, on_either.tokens[role], CONFORMS)
    wrong = Fuzz(on_either.app, on_either.tokens[role], (*CONFORMS, negative_data_rejection))

    for operation in on_either.operations:
        fuzz.send(operation, GenerationMode.POSITIVE, EXAMPLES)
        wrong.send(operation, GenerationMode.NEGATIVE, EXAMPLES)

    said = fuzz.statuses + wrong.statuses
    log.info("%s: %d operations, %d calls, %s", role, len(on_either.operations), said.total(), sorted(said.items()))
    assert [status for status in said if status >= 500] == []
    assert fuzz.broken | wrong.broken == {}
    assert fuzz.statuses[200] > 300, fuzz.statuses
    assert wrong.statuses[422] > 200, wrong.statuses
    assert not (fuzz.statuses | wrong.statuses)[401], "nobody lost their token on the way"
