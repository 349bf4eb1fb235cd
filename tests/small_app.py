"""An app of only web, users and audit on a fresh database: enough for tests of the frame, and ready in milliseconds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.audit import routes as audit_routes
from app.audit import service as audit
from app.audit import tables as _audit_tables  # noqa: F401 - its table has to be known
from app.blobs import Blobs
from app.db import Base, make_engine, reading
from app.jobs import store as jobs
from app.settings import Settings
from app.users import api as users_api
from app.users import routes as users_routes
from app.web import files, pages, problems
from app.web.context import AppContext, Step
from app.web.events import Hub
from app.web.security import Web

STEPS = (
    Step("describe", "Describe", "/assessments/1", "24 of 24"),
    Step("data", "Data", "/assessments/1/data", "1,412 usable"),
    Step("verdict", "Verdict", "/assessments/1/verdict", "ready", "pass"),
    Step("train", "Train", "/assessments/1/train", "locked", "fail"),
)


def cheap(folder: Path, **more: Any) -> Settings:
    """Settings for a test: a database of its own, and passwords that cost nothing."""
    return Settings(data=folder, assets=assets(), hash_time=1, hash_memory=8, **more)


def assets() -> Path:
    return Settings().assets


def small_app(settings: Settings) -> Web:
    settings.data.mkdir(parents=True, exist_ok=True)
    engine = make_engine(settings.url)
    Base.metadata.create_all(engine)
    shown = files.Files(settings.assets)

    def newest() -> int:
        with reading(engine) as session:
            return jobs.last_event_id(session)

    def steps(_session: Session, _assessment: Any) -> Sequence[Step]:
        return STEPS

    app = Web(settings)
    app.state.context = AppContext(
        settings=settings,
        engine=engine,
        blobs=Blobs(settings.blobs_dir),
        jobs=None,
        templates=pages.make_templates(shown),
        files=shown,
        hub=Hub(newest, every=0.05),
        record=audit.record,
        steps=steps,
    )
    problems.install(app)
    for router in (files.router, problems.router, users_routes.router, users_api.router, audit_routes.router):
        app.include_router(router)
    return app
