"""Every route of an app as it is really served, included routers and all."""

import re
from collections.abc import Iterator

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts

from app.users.deps import Require


def routes(app: FastAPI) -> Iterator[tuple[str, RouteContext]]:
    """Method and route, one at a time: a path whose GET is guarded says nothing about its DELETE."""
    for route in iter_route_contexts(app.routes):
        for method in sorted(route.methods or {"MOUNT"}):
            if method != "HEAD":
                yield method, route


def fill(path: str | None) -> str:
    """The path with something in each gap: 1 is somebody's id."""
    return re.sub(r"{[^}]*}", "1", path or "")


def required(route: RouteContext) -> Require | None:
    """The role that a route declares, wherever in its dependencies."""
    return _find(getattr(route, "dependant", None))


def _find(dependant: Dependant | None) -> Require | None:
    if dependant is None:
        return None
    if isinstance(dependant.call, Require):
        return dependant.call
    return next((rule for inner in dependant.dependencies if (rule := _find(inner))), None)
