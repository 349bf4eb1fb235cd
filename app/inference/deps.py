"""What routes that list models need first."""

from fastapi import Depends

from app.inference import service
from app.web.deps import App


def _bundled(app: App) -> None:
    service.ensure_bundled(app.engine)


# For routers: the embedded model is in the list from the first page on, without anybody adding it.
WithBundled = Depends(_bundled)
