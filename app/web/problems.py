"""Every way of saying no, in two shapes: a page for a browser, RFC 9457 problem details for a program.

Refusals, wrong input, unknown addresses and crashes all come through here, so no default body of a framework leaks out.
"""

import json
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import cast
from urllib.parse import quote

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import RouteContext, iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import ClientDisconnect

from app.errors import (
    Conflict,
    DigestMissing,
    FieldError,
    Forbidden,
    GateClosed,
    Invalid,
    NotFound,
    Refusal,
    Stale,
)
from app.json_types import JsonDict
from app.web import openai_errors, pages
from app.web.deps import context_of
from app.web.faults import field_errors
from app.web.params import Slug
from app.web.refusals import SeeFirst, SignInFirst, TooMany

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of problem: `advice` tells the reader of its page what usually helps."""

    status: int
    title: str
    advice: str


KINDS = {
    "bad-request": Kind(
        400,
        "The request could not be read",
        "The body was not the JSON or the form that this address takes, or a header was malformed. The API "
        "description at /openapi.json says what each address takes.",
    ),
    "sign-in": Kind(
        401,
        "Sign in first",
        "Programs send an API token as `Authorization: Bearer tg_...`; a token is made on the account page. It may "
        "have expired, been revoked, or its account may have been disabled.",
    ),
    "forbidden": Kind(
        403,
        "Not allowed for this account",
        "The role of the account or the scope of the token does not include this. An admin can change a role; a new "
        "token can carry another scope. Requests that a browser sends from another site are refused, too.",
    ),
    "not-found": Kind(
        404,
        "Not found",
        "It never existed, or it has been deleted. Start again from the list it should be in.",
    ),
    "method": Kind(405, "This address does not do that", "The `Allow` header names the methods that it takes."),
    "timeout": Kind(408, "The request did not arrive", "It came too slowly, or stopped half-way. Send it again."),
    "conflict": Kind(
        409,
        "The current state does not allow this",
        "Something has to happen first, or somebody else was quicker. Reload the page and read what is said there.",
    ),
    "stale": Kind(
        412,
        "What you saw is not what is there now",
        "Somebody changed it after the page was opened. Open it again, read what changed, and decide on that.",
    ),
    "digest-missing": Kind(
        428,
        "The decision does not say what it is about",
        "A review is decided by sending the digest of exactly what was read; the page and the API both show it.",
    ),
    "gate-closed": Kind(
        409,
        "Training is locked",
        "Not every criterion passes, or nobody has approved exactly what is there now. The dossier lists each "
        "criterion with what was found, what is needed and what would change it. There is no way around it, by design.",
    ),
    "too-large": Kind(
        413,
        "Too much data in one request",
        "Uploads of data have a larger limit than other forms. Split the file, or ask the operator for more.",
    ),
    "media-type": Kind(
        415, "This type of content is not read here", "Send JSON with `Content-Type: application/json`."
    ),
    "invalid": Kind(
        422,
        "Some of what was sent cannot be used",
        "Each wrong field is named with what is expected instead. Nothing has been stored.",
    ),
    "too-many": Kind(
        429,
        "Too many attempts",
        "Wait for the time that is said, then try again. The `Retry-After` header has it in seconds.",
    ),
    "crash": Kind(
        500,
        "Something broke on our side",
        "Nothing was stored. The operator finds what happened in the log, under the reference number that was shown.",
    ),
    "unavailable": Kind(503, "Not available right now", "Try again in a moment."),
}
JSON_TYPE = "application/problem+json"
NOTHING_HERE = "There is nothing at this address."
# Headers that come with a refusal.
SENT_WITH: dict[int, JsonDict] = {
    401: {"WWW-Authenticate": {"description": "how to ask: with a bearer token", "schema": {"type": "string"}}},
    429: {"Retry-After": {"description": "seconds until it is worth asking again", "schema": {"type": "integer"}}},
}
SCHEMA = {"$ref": "#/components/schemas/Problem"}


class ProblemError(BaseModel):
    """One wrong field: where it is, and what is expected there.

    It has exactly one of `pointer` (RFC 6901, into the JSON that was sent; `#` is all of it), `parameter` (of the
    address) and `header`.
    """

    pointer: str | None = Field(None, examples=["#/answers/goals/0"])
    parameter: str | None = Field(None, examples=["limit"])
    header: str | None = Field(None, examples=["Idempotency-Key"])
    detail: str


class Problem(BaseModel):
    """A refusal as RFC 9457 writes it. `errors` is there when fields are wrong, `reasons` when several things are in
    the way and whenever training is locked: all of them, in the order in which to mend them."""

    type: str = Field(examples=["/problems/conflict"])
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemError] | None = None
    reasons: list[str] | None = None


# The first that fits counts, so a subclass stands before its parent.
SLUG_OF: tuple[tuple[type[Refusal], str], ...] = (
    (NotFound, "not-found"),
    (Stale, "stale"),
    (DigestMissing, "digest-missing"),
    (GateClosed, "gate-closed"),
    (Conflict, "conflict"),
    (SeeFirst, "forbidden"),
    (Forbidden, "forbidden"),
    (Invalid, "invalid"),
    (TooMany, "too-many"),
    (SignInFirst, "sign-in"),
)


def slug_of(refusal: Refusal) -> str:
    """Name the problem; a refusal of another class is one of storage or space, which says: not now."""
    return next((slug for kind, slug in SLUG_OF if isinstance(refusal, kind)), "unavailable")


def slug_for(status: int) -> str:
    """Name a problem of which only the status is known."""
    known = next((slug for slug, kind in KINDS.items() if kind.status == status), "")
    return known or ("bad-request" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "unavailable")


def described(*statuses: int, description: str = "") -> dict[int | str, JsonDict]:
    """What the description of the API says of answers with these statuses: `words`, or the problem's title."""
    return {
        status: {
            "model": Problem,
            "description": description or KINDS[slug_for(status)].title,
            "content": {JSON_TYPE: {}},
            **({"headers": SENT_WITH[status]} if status in SENT_WITH else {}),
        }
        for status in statuses
    }


# For routers of the API: `APIRouter(prefix="/api/v1/...", responses=REFUSALS)`, so that the description tells it all.
REFUSALS = described(400, 401, 403, 404, 409, 413, 415, 422)


def problem(
    request: Request,
    status: int,
    detail: str,
    errors: Sequence[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    slug: str = "",
    reasons: Sequence[str] = (),
) -> Response:
    """Answer with a problem in the shape that whoever asks can read."""
    slug = slug or slug_for(status)
    response: Response
    if request.url.path.startswith("/api/"):
        response = _document(request, slug, status, detail, errors, reasons)
    elif openai_errors.asked_for(request):
        response = openai_errors.of_fields(status, detail, errors)
    elif status == HTTPStatus.UNAUTHORIZED:
        response = _to_sign_in(request)
    else:
        response = _page(request, slug, status, detail, errors, reasons)
    response.headers.update(headers or {})
    return response


def _document(
    request: Request, slug: str, status: int, detail: str, errors: Sequence[FieldError], reasons: Sequence[str]
) -> Response:
    body: JsonDict = {
        "type": f"/problems/{slug}",
        "title": KINDS[slug].title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
    }
    if errors:
        body["errors"] = [_error(request, error) for error in errors]
    if reasons:
        body["reasons"] = list(reasons)
    headers = {"WWW-Authenticate": 'Bearer realm="tunegate"'} if status == HTTPStatus.UNAUTHORIZED else {}
    return Response(json.dumps(body), status, headers, JSON_TYPE)


def _error(request: Request, error: FieldError) -> dict[str, str]:
    """One wrong field as it was sent: a service names fields and does not know how they came."""
    if error.where != "body":
        return {error.where: error.pointer, "detail": error.detail}
    if hasattr(request, "_json"):  # where Starlette keeps what was read
        return {"pointer": error.pointer, "detail": error.detail}
    if error.field in request.query_params:
        return {"parameter": error.field, "detail": error.detail}
    return {"pointer": "#", "detail": error.detail}  # the body is a file


def _to_sign_in(request: Request) -> Response:
    """Lead a reader to the sign-in page and back to where they were; after an action, to the start."""
    address = "/sign-in"
    if request.method == "GET" and request.url.path != "/":
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        address += f"?next={quote(wanted, safe='/')}"
    return _lead(request, address)


def _lead(request: Request, address: str) -> Response:
    if pages.wants_fragment(request):
        # htmx would follow a redirect and put the whole page into the middle of the old one.
        return Response(status_code=401, headers={"HX-Redirect": address})
    return Response(status_code=303, headers={"Location": address})


def _page(
    request: Request, slug: str, status: int, detail: str, errors: Sequence[FieldError], reasons: Sequence[str]
) -> Response:
    template = "problems/_note.html" if pages.wants_fragment(request) else "problems/problem.html"
    values = {"slug": slug, "title": KINDS[slug].title, "detail": detail, "errors": errors, "reasons": reasons}
    response = pages.page(request, template, status=status, **values)
    if pages.wants_fragment(request):
        # Say it in the page's own place for notes, whatever the request wanted to replace.
        response.headers.update({"HX-Retarget": "#note", "HX-Reswap": "innerHTML"})
    return response


def _on_refusal(request: Request, error: Exception) -> Response:
    refusal = cast("Refusal", error)
    # Here and nowhere else, so that a route without a transaction of its own is on record as well.
    context_of(request).on_refusal(request, refusal)
    if isinstance(refusal, SeeFirst) and not request.url.path.startswith(("/api/", openai_errors.PREFIX)):
        return _lead(request, refusal.url)
    slug = slug_of(refusal)
    headers = {"Retry-After": str(refusal.seconds)} if isinstance(refusal, TooMany) else None
    errors = getattr(refusal, "errors", ())
    return problem(request, KINDS[slug].status, refusal.detail, errors, headers, slug, refusal.reasons)


def _on_http(request: Request, error: Exception) -> Response:
    """Answer what FastAPI and Starlette refuse themselves: unknown addresses, methods, unreadable bodies."""
    raised = cast("AnyHTTPException", error)
    status = raised.status_code
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = methods_of(request)
        return _other_methods(request, methods) if methods else problem(request, 404, NOTHING_HERE)
    slug = slug_for(status)
    if getattr(request.scope.get("arriving"), "late", False):
        return _on_gone(request, error)
    if raised.detail == "There was an error parsing the body":
        detail = "The body could not be read."
    elif raised.detail in {HTTPStatus(status).phrase, "Content Too Large", ""}:
        detail = KINDS[slug].advice if status != HTTPStatus.NOT_FOUND else NOTHING_HERE
    else:
        detail = str(raised.detail)
    return problem(request, status, detail, headers=raised.headers)


def _on_validation(request: Request, error: Exception) -> Response:
    refused = cast("RequestValidationError", error)
    errors = refused.errors()
    if any(fault["loc"] and fault["loc"][0] == "path" for fault in errors):
        # An address with a word where a number belongs is an address that does not exist, or another one.
        if methods := methods_of(request):
            return _other_methods(request, methods)
        return problem(request, 404, NOTHING_HERE)
    if any(fault["type"] == "json_invalid" for fault in errors):
        return problem(request, 400, "The body is not JSON.")
    if isinstance(refused.body, bytes):
        return problem(request, 415, _no_json(request))
    return problem(request, 422, "Some fields cannot be used as they are.", field_errors(errors, refused.body))


def _no_json(request: Request) -> str:
    """Say what to do when a body came that was not said to be JSON."""
    if not request.headers.get("content-type"):
        return "The request has a body and does not say what it is. Send JSON with `Content-Type: application/json`."
    return "This address takes JSON, and the request says it is something else. Send `Content-Type: application/json`."


def _on_gone(request: Request, _error: Exception) -> Response:
    """The other side stopped sending: it went away, and hears nothing of this, or it takes too long."""
    return problem(request, 408, "The request came too slowly, or stopped half-way. Nothing of it was used.")


def _other_methods(request: Request, methods: set[str]) -> Response:
    return problem(request, 405, KINDS["method"].advice, headers={"Allow": ", ".join(sorted(methods))})


def methods_of(request: Request) -> set[str]:
    """What can be done at this address. Each route of a path knows only its own method, so all of them are asked."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        match = route.path_regex.match(request.url.path) if route.methods else None
        if match is not None and _fits(route, match.groupdict()):
            methods |= route.methods or set()
    return methods


def _fits(route: RouteContext, parameters: Mapping[str, str]) -> bool:
    """Whether what stands in the gaps of the address is what the route takes there: no word for a number."""
    dependant = getattr(route, "dependant", None)
    return dependant is None or not any(
        field.validate(parameters.get(field.name), loc=())[1] for field in dependant.path_params
    )


def _on_crash(request: Request, error: Exception) -> Response:
    reference = secrets.token_hex(4)
    request.state.me = None  # this page needs nothing that could be broken, too
    log.error("Crash %s at %s %s", reference, request.method, request.url.path, exc_info=error)
    return problem(request, 500, f"Reference {reference}. Nothing of what you sent was stored; you can try again.")


def install(app: FastAPI) -> None:
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(AnyHTTPException, _on_http)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(ClientDisconnect, _on_gone)
    app.add_exception_handler(Exception, _on_crash)


router = APIRouter(include_in_schema=False)


@router.get("/problems/{slug}", name="problem")
def show_kind(request: Request, slug: Slug) -> Response:
    """Explain a type of problem: the address in `type` leads here."""
    if slug not in KINDS:
        raise NotFound("There is no such problem.")
    return pages.page(request, "problems/kind.html", kind=KINDS[slug], slug=slug)
