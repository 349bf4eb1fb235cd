"""Apps that need not be built from nothing for every test.

FastAPI works out a route, and Jinja compiles a template, when it is first asked for: together a quarter of a second for
each new app, and nearly every test of a page has one of its own. Neither knows the database or the settings, so all
apps of one kind share them; engine, files, queue, limits and everything else are each test's own.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment
from starlette.routing import BaseRoute

from app.settings import Settings
from app.web.security import Web

Build = Callable[[Settings], Web]

# The routes and templates of an app that no test gets, so that no test can have added to them.
_READY: dict[tuple[Build, Path], tuple[list[BaseRoute], Environment]] = {}


def ready(build: Build, settings: Settings) -> Web:
    """`build(settings)`, with routes and templates that are built already."""
    kind = (build, settings.assets)
    if kind not in _READY:
        first = build(settings)
        first.state.context.engine.dispose()
        _READY[kind] = first.router.routes, first.state.context.templates
    routes, templates = _READY[kind]
    made = build(settings)
    made.router.routes[:] = routes
    made.state.context = replace(made.state.context, templates=templates)
    return made
