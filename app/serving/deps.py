"""What the routes of serving share: the model server of this process, and who may ask it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from sqlalchemy import Engine

from app.blobs import Blobs, Damaged
from app.db import reading
from app.inference import service as models
from app.inference import store as model_store
from app.inference.followed import FollowedModel
from app.inference.generator import Unusable
from app.inference.local_protocol import Dtype
from app.serving.answering import Limits, ModelServer, Weights
from app.serving.prompting import Prompting
from app.settings import Settings
from app.training import packing
from app.users.deps import Require
from app.users.tables import Role, UserRow
from app.web.context import AppContext

# Asking a model: a token needs the scope of its own for it, which reaches nothing else.
Asker = Annotated[UserRow, Depends(Require(Role.AUTHOR, scope="ask"))]


class AdaptedModel(FollowedModel):
    """A model with an adapter out of the content store, which is laid out for it alone, and gone when it is."""

    def __init__(
        self,
        unpacked: Path | None,
        folder: Path,
        threads: int,
        files: dict[str, str],
        dtype: Dtype,
        bits: int | None,
        device: str,
    ) -> None:
        self._unpacked = unpacked
        super().__init__(folder, unpacked, threads or None, dtype, files=files, bits=bits, device=device)

    def close(self) -> None:
        super().close()
        if self._unpacked is not None:
            shutil.rmtree(self._unpacked, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Serving:
    """The model server of a process, and the prompts that it asks with."""

    server: ModelServer
    prompting: Prompting


def serving_for(settings: Settings, engine: Engine, blobs: Blobs) -> Serving:
    """Ready to start models; none is started before somebody asks."""

    def start(weights: Weights) -> FollowedModel:
        with reading(engine) as session:
            model = model_store.get(session, weights.model_id)
            folder, files, bits = models.folder(settings, model), dict(model.files), model.bits
        unpacked = _unpacked(blobs, weights.adapter) if weights.adapter else None
        try:
            return AdaptedModel(unpacked, folder, settings.threads, files, weights.dtype, bits, settings.device)
        except Unusable:
            if unpacked is not None:
                shutil.rmtree(unpacked, ignore_errors=True)
            raise

    limits = Limits(idle=settings.serve_idle, a_minute=settings.serve_a_minute)
    return Serving(ModelServer(start, limits), Prompting(engine, settings, blobs))


def _unpacked(blobs: Blobs, sha256: str) -> Path:
    """The adapter's two files, every byte as it was stored."""
    folder = Path(tempfile.mkdtemp(prefix="tunegate-adapter-"))
    try:
        packing.unpack(blobs, sha256, folder)
    except Damaged as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Unusable("The stored adapter is damaged.") from error
    return folder


def install(app: FastAPI, context: AppContext) -> None:
    """Give an app its model server."""
    app.state.serving = serving_for(context.settings, context.engine, context.blobs)


def close(app: FastAPI) -> None:
    app.state.serving.server.close()


async def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


InUse = Annotated[Serving, Depends(_serving)]
