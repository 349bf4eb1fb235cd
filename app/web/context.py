"""What the web process is made of, put together once by `main.create_app` and read by every request."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.blobs import Blobs
from app.errors import Refusal
from app.settings import Settings
from app.web import turns
from app.web.events import Hub
from app.web.files import Files
from app.web.turns import Turns


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an assessment's dossier: `slug` names it, `state` is its word, `tone` the word's colour class."""

    slug: str
    name: str
    url: str
    state: str = ""
    tone: str = ""


def no_steps(_session: Session, _assessment: Any) -> Sequence[Step]:
    return ()


def nothing_ahead(_session: Session, _assessments: Sequence[Any]) -> None:
    return None


def no_evidence(_session: Session, _assessment: Any) -> None:
    return None


def no_effects(_session: Session, _policy: Any) -> None:
    return None


def no_record(_request: Any, _refusal: Refusal) -> None:
    return None


class EachTime:
    """Stands in for `audit.watch.Chain`, which is above us: looks at the chain whenever it is asked."""

    @staticmethod
    def broken_at(look: Callable[[], int | None]) -> int | None:
        return look()


@dataclass(frozen=True, slots=True)
class AppContext:
    """The parts that routes need.

    `steps`, `evidence` and `effects` are functions of concepts above the page that shows them (the dossier's state, the
    measured values beside the questionnaire, what another policy would make of the assessments), `read_ahead` finds the
    evidence of a whole list, and `record` is `audit.service.record` for what is below the record: handed in, because
    imports only go down. `jobs` is `jobs.engine.Client`, `chain` is `audit.watch.Chain`. `uploads` and `model_tests`
    bound what keeps threads waiting.
    """

    settings: Settings
    engine: Engine
    blobs: Blobs
    jobs: Any
    templates: Environment
    files: Files
    hub: Hub
    record: Callable[..., object]
    steps: Callable[[Session, Any], Sequence[Step]] = no_steps
    evidence: Callable[[Session, Any], Any] = no_evidence
    read_ahead: Callable[[Session, Sequence[Any]], None] = nothing_ahead
    effects: Callable[[Session, Any], Any] = no_effects
    on_refusal: Callable[[Any, Refusal], None] = no_record
    chain: Any = field(default_factory=EachTime)
    uploads: Turns = field(default_factory=turns.uploads)
    model_tests: Turns = field(default_factory=turns.model_tests)
