"""A model on this machine, in a process of its own, so that torch never runs where pages or jobs do."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.chat import Message
from app.inference.generator import Answer, Request, Unusable
from app.inference.local_protocol import Dtype, asked
from app.inference.model_process import ModelProcess
from app.processes import children

CHUNK = 512  # requests handed over at once: enough to sort by length and to share a beginning


@dataclass(frozen=True, slots=True)
class Info:
    """What the child loaded. digest: over all files of the model; dtype: the precision that it runs in; device: what it
    computes on, as people call it."""

    model: str
    revision: str
    digest: str
    dtype: str
    threads: int
    context: int
    parameters: int
    device: str = "CPU"


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of one row; prompt and completion as the model reads them, special tokens shown."""

    id: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt: str = ""
    completion: str = ""
    error: str | None = None


class LocalModel(ModelProcess):
    """A `Generator` over `python -m app.inference.local_child`, started at once and ready when it is first asked.

    files: name -> SHA-256 that the model must have; None takes what is there. dtype "auto" times both precisions and
    takes the quicker one; whoever compares two runs gives the second one the `info().dtype` of the first.
    Nothing is restarted: a model that died is `Unusable`, and the job decides what that means.
    """

    def __init__(
        self,
        model_dir: Path,
        adapter_dir: Path | None = None,
        threads: int | None = None,
        dtype: Dtype = "auto",
        *,
        files: Mapping[str, str] | None = None,
        log: Path | None = None,
        device: str = "cpu",
        bits: int | None = None,
    ) -> None:
        if not model_dir.is_dir():
            raise Unusable("The model's folder is not there. Convert the bundled model again, or correct the path.")
        self._info: Info | None = None
        count = children.threads_for(threads)
        file = log.open("w+b") if log else tempfile.TemporaryFile()  # noqa: SIM115  the child's `close` closes it
        super().__init__(children.start("app.inference.local_child", threads=count, log=file))
        self._send(
            do="load",
            model=str(model_dir.resolve()),
            adapter=str(adapter_dir.resolve()) if adapter_dir else None,
            files=dict(files) if files else None,
            threads=count,
            dtype=dtype,
            device=device,
            bits=bits,
        )

    @property
    def computes_on(self) -> str:
        """The device, as people call it; empty until the model is loaded."""
        return self._info.device if self._info else ""

    def info(self, stop: Callable[[], bool] = lambda: False) -> Info | None:
        """Wait until the model is loaded; None when `stop` came first.

        Raises: Unusable: it could not be loaded.
        """
        while self._info is None:
            event = self._next(stop)
            if event is None:
                return None
            self._info = Info(**{key: value for key, value in event.items() if key != "event"})
        return self._info

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        """Answer all requests, each as it is done; see `Generator`."""
        if self.info(stop) is None:
            return
        for start in range(0, len(requests), CHUNK):
            if stop():
                return
            body = [asked(request) for request in requests[start : start + CHUNK]]
            for event in self._ask(stop, do="answer", requests=body):
                yield Answer(**event["answer"])

    def count(
        self, rows: Sequence[tuple[str, Sequence[Message], str]], stop: Callable[[], bool] = lambda: False
    ) -> Iterator[Counted]:
        """Tokens of rows (id, messages, target), in order."""
        if self.info(stop) is None:
            return
        body = [{"id": i, "messages": [asdict(m) for m in messages], "target": t} for i, messages, t in rows]
        for event in self._ask(stop, do="count", rows=body):
            yield Counted(**event["row"])
