"""A model on this machine whose answers are followed while they are written: in pieces, up to a text, or given up."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.inference.generator import Answer, Request
from app.inference.local import LocalModel
from app.inference.local_protocol import asked as as_asked


@dataclass(frozen=True, slots=True)
class Followed:
    """A question as another program asks it. stops: texts before which the answer ends. pieces: send it as it comes.
    bare: the model answers without the adapter that it was started with."""

    request: Request
    stops: tuple[str, ...] = ()
    pieces: bool = False
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """What has been added to an answer. Together the pieces are its beginning; the whole comes as an `Answer`."""

    id: str
    text: str


class FollowedModel(LocalModel):
    """A `LocalModel` that can be followed. Prompts, tokens and decoding are those of every other answer."""

    def follow(
        self, asked: Sequence[Followed], drops: Callable[[], Iterable[str]], stop: Callable[[], bool]
    ) -> Iterator[Piece | Answer]:
        """Answer all of them together. drops: ids that nobody waits for any more, each given once; asked several times
        a second. An answer that was dropped ends with an error.

        Raises: Unusable: the model can't be used, or its process has ended.
        """
        if self.info(stop) is None:
            return

        def over() -> bool:
            for name in drops():
                self._send(do="drop", id=name)
            return stop()

        body = [{**as_asked(one.request), "stops": one.stops, "pieces": one.pieces, "bare": one.bare} for one in asked]
        for event in self._ask(over, do="answer", requests=body):
            if event["event"] == "piece":
                yield Piece(event["id"], event["text"])
            else:
                yield Answer(**event["answer"])
