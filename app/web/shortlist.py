"""Which routers an address can belong to, so that not all of them are tried for each request.

FastAPI compares an address with every route of every router, one after the other, and with those of the right router
twice: a quarter of what a page took, for what stands late in the list. Here the routers are listed by the literal parts
of their addresses; those that can't have this one are left out, the others are tried as always, in the same order.
"""

import copy
from collections.abc import Iterator, Sequence
from functools import lru_cache

from fastapi import APIRouter
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

Shape = tuple[str | None, ...]
"""The parts of an address between its strokes; None stands for any."""
KINDS = 2_000  # of addresses that are remembered; anybody may make some up


class Shortlist:
    """The inside of a router: in place of its own `app`, which it calls with fewer routes."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._built_for: list[BaseRoute] = []
        self.build()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get("root_path"):
            await self._router.app(scope, receive, send)
            return
        if self._built_for != self._router.routes:
            self.build()
        scope["router"] = self._router  # who asks for another route's address looks through all of them
        await self._fewer(self._shape(scope["path"])).app(scope, receive, send)

    def build(self) -> None:
        """List the routes as they are now; the next request does it by itself where they are others."""
        self._built_for = list(self._router.routes)
        self._shapes = [(route, tuple(_shapes(route))) for route in self._built_for]
        literals = [part for _, shapes in self._shapes for shape in shapes or () for part in enumerate(shape)]
        self._literals = frozenset(literals)
        self._fewer = lru_cache(KINDS)(self._find)

    def routes_for(self, path: str) -> list[BaseRoute]:
        """Those that are tried for an address, in the order of the whole list."""
        return self._fewer(self._shape(path)).routes

    def _shape(self, path: str) -> Shape:
        """Its parts, as far as any route names them. A pattern also matches before the end of a line at the end."""
        parts = path.rstrip("\n").strip("/").split("/")
        return tuple(part if (at, part) in self._literals else None for at, part in enumerate(parts))

    def _find(self, wanted: Shape) -> APIRouter:
        """A router with those that may have such an address. None of them: the whole one says so."""
        routes = [route for route, shapes in self._shapes if any(_fits(shape, wanted) for shape in shapes)]
        if not routes:
            return self._router
        fewer = copy.copy(self._router)
        fewer.routes = routes
        return fewer


ANY = "*"  # as the last part: whatever comes


def _shapes(route: BaseRoute) -> Iterator[Shape]:
    """The shapes of the addresses of a route, or of all that a router includes."""
    for context in iter_route_contexts([route]):
        path = context.path
        if path is None or context.path_format is None or ":path}" in path:
            yield (ANY,) if path is None else (*_parts(path.partition("{")[0]), ANY)
        else:
            yield _parts(path)


def _parts(path: str) -> Shape:
    return tuple(None if "{" in part else part for part in path.strip("/").split("/"))


def _fits(shape: Sequence[str | None], wanted: Shape) -> bool:
    if shape[-1] == ANY:
        shape, wanted = shape[:-1], wanted[: len(shape) - 1]
    return len(shape) == len(wanted) and all(part in (None, given) for part, given in zip(shape, wanted, strict=True))
