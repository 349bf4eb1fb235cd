"""Documents and indexes of one assessment, read and built here and now."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.indexed import Indexing, by_words
from tests.support.model_server import ModelServer, serving

MANUAL = b"""# Shop manual

Welcome to the shop.

## Opening hours

The shop opens at nine and closes at five. On Sundays it stays closed.

## Refunds

A refund is paid within fourteen days. Bring the receipt and the goods.

| Item | Days |
| --- | --- |
| Books | 14 |
| Food | 1 |

## Printer

```
lpr -P office page.ps
```
"""
NOTES = b"Employees park behind the house.\n\nThe printer stands on the second floor beside the kitchen."


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Model servers of tests are on loopback."""
    return settings.model_copy(update={"allowed_hosts": ("127.0.0.1",)})


@pytest.fixture
def me(make: Make) -> UserRow:
    return make.author()


@pytest.fixture
def assessment(make: Make, me: UserRow) -> AssessmentRow:
    return make.assessment(me)


@pytest.fixture
def indexing(
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    blobs: Blobs,
    assessment: AssessmentRow,
    me: UserRow,
) -> Indexing:
    return Indexing(engine, settings, queue, blobs, assessment, me)


@pytest.fixture
def corpus(indexing: Indexing) -> Indexing:
    """The same with two documents."""
    indexing.add(("manual.md", MANUAL), ("notes.txt", NOTES))
    return indexing


@pytest.fixture
def embeds() -> Iterator[ModelServer]:
    """A server that embeds."""
    with serving(by_words) as server:
        yield server


@pytest.fixture
def model(make: Make, embeds: ModelServer) -> ModelRow:
    return make.model(
        name="Our embeddings",
        kind="endpoint",
        reference="by-words",
        base_url=embeds.url,
        files={},
        purpose="embeddings",
    )
