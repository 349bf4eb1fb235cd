"""Refusals in the shape that clients of OpenAI's protocol read: for the addresses under `/v1/`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse

from app.errors import FieldError

PREFIX = "/v1/"

# What OpenAI calls the kinds of refusal; others of the client's faults are an invalid request.
_TYPES: Mapping[int, tuple[str, str | None]] = {
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", "insufficient_permissions"),
    404: ("invalid_request_error", "not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}


def asked_for(request: Request) -> bool:
    return request.url.path.startswith(PREFIX)


def response(
    status: int,
    message: str,
    *,
    param: str | None = None,
    code: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """One refusal. param: the name of the argument at fault. What can't be used is a 400 there, and no 422."""
    status = 400 if status == HTTPStatus.UNPROCESSABLE_ENTITY else status
    usual = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    kind, usual_code = _TYPES.get(status, (usual, None))
    if status == HTTPStatus.UNAUTHORIZED:
        headers = {"WWW-Authenticate": 'Bearer realm="tunegate"', **(headers or {})}
    error = {"message": message, "type": kind, "param": param, "code": code or usual_code}
    return JSONResponse({"error": error}, status, dict(headers or {}))


def of_fields(status: int, detail: str, errors: Sequence[FieldError]) -> JSONResponse:
    """A refusal whose first wrong argument is named."""
    if not errors:
        return response(status, detail)
    first = errors[0]
    name = first.pointer.removeprefix("#/").replace("/", ".").removeprefix("#") or None
    return response(status, f"{name}: {first.detail}" if name else first.detail, param=name)
