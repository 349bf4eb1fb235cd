"""The style sheet and scripts: read once at start, named by their content, kept by browsers for a year.

htmx and Swagger UI come from Python packages (see `requirements-assets.in`) into the assets folder. Without htmx every
page still works; only what changes by itself stays still.
"""

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

from app.errors import NotFound
from app.web.params import Slug

log = logging.getLogger(__name__)

OWN = Path(__file__).parent / "static"
PACKAGE = Path("django_htmx", "static", "django_htmx")
SWAGGER = Path("drf_spectacular_sidecar", "static", "drf_spectacular_sidecar", "swagger-ui-dist")
BORROWED = {
    "htmx.js": PACKAGE / "htmx-4.min.js",
    "htmx-sse.js": PACKAGE / "ext" / "hx-sse-4.min.js",
    "swagger-ui.js": SWAGGER / "swagger-ui-bundle.js",
    "swagger-ui.css": SWAGGER / "swagger-ui.css",
}
TYPES = {
    ".yaml": "application/yaml",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".jsonl": "application/jsonl; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
}
YEAR = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class File:
    body: bytes
    version: str
    media_type: str


class Files:
    """Every file that may be asked for, by name; no request ever becomes a path on the disk."""

    def __init__(self, assets: Path) -> None:
        self._files = dict(_read(assets))
        if missing := sorted(BORROWED.keys() - self._files.keys()):
            log.warning(
                "Missing in %s: %s. Pages work, but do not change by themselves. `make assets` installs them.",
                assets,
                ", ".join(missing),
            )

    def has(self, name: str) -> bool:
        return name in self._files

    def get(self, name: str) -> File:
        if name not in self._files:
            raise NotFound("There is no such file.")
        return self._files[name]

    def url(self, name: str) -> str:
        return f"/static/{self.get(name).version}/{name}"


def _read(assets: Path) -> Iterator[tuple[str, File]]:
    paths = {path.name: path for path in sorted(OWN.iterdir())}
    paths |= {name: assets / path for name, path in BORROWED.items() if (assets / path).is_file()}
    for name, path in paths.items():
        body = path.read_bytes()
        yield name, File(body, hashlib.sha256(body).hexdigest()[:12], TYPES[path.suffix])


router = APIRouter(include_in_schema=False)


@router.get("/static/{version}/{name}", name="static")
def show_file(request: Request, version: Slug, name: Slug) -> Response:
    file: File = request.app.state.context.files.get(name)
    # An old address still answers, so that a page from before an update is not left without its style.
    kept = f"public, max-age={YEAR}, immutable" if version == file.version else "no-cache"
    return Response(file.body, media_type=file.media_type, headers={"Cache-Control": kept})
