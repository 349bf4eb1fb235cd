"""A model behind an OpenAI-compatible address, as one that answers; `server_calls` says how a server is asked.

What a server does not take (a setting, a system turn) is learnt once and said. What comes back is a stranger's text: it
is parsed strictly (`completion`), bounded in size and never shown as anything but text.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx2

from app.chat import Message
from app.inference import answer_text, completion
from app.inference.completion import Completion, Trouble
from app.inference.failures import Busy, RowFailed
from app.inference.generator import Answer, Request, Unusable, folded
from app.inference.schedule import Turn
from app.inference.server_calls import ServerCalls
from app.inference.server_constraints import ServerConstraints, Wired


class Endpoint(ServerCalls[Request, Completion, Answer]):
    """A `Generator` that asks a server, up to `concurrency` requests at once."""

    door = "/chat/completions"
    probe = Request("probe", (Message("user", "Reply with the single word: ready"),), 64)
    _system_works = False

    def __init__(self, *address: Any, **more: Any) -> None:
        super().__init__(*address, **more)
        self._keeping = ServerConstraints(self._asked)

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        return self.results(requests, stop)

    @property
    def remarks(self) -> list[str]:
        """What is different from how a question is usually asked, because this server does not take it."""
        sentences = {
            "temperature": "Asked without temperature 0, which the server does not take: answers may differ between "
            "runs.",
            "system": "The server takes no system turn, so the instructions stand in front of the first question.",
        }
        return [*(sentences[name] for name in sorted(self._learnt) if name in sentences), *self._keeping.remarks]

    # -------------------------------------------------------------- one row

    def _one(self, turn: Turn[Request]) -> Answer:
        """One row's answer or error. Nothing of our key is in either."""
        request = turn.question
        if request.choices:
            no_scores = (
                "A model server doesn't tell how likely given answers are; score labels on a model of this machine."
            )
            return Answer(request.id, "", "", 0, 0, 0.0, error=no_scores)
        try:
            try:
                request, form = self._keeping.wired(request)
                reply, seconds = self._asked(request, turn)
            except (RowFailed, Busy) as error:
                self._note(unavailable=isinstance(error, Busy), reason=str(error))
                return Answer(request.id, "", "", 0, 0, 0.0, error=self._without_key(str(error)))
        except Unusable as error:
            raise Unusable(self._without_key(str(error))) from None
        self._note(unavailable=False, reason="")
        self.answered = True
        finish = "length" if not reply.finish and reply.completion_tokens >= request.max_tokens else reply.finish
        text = self._without_key(reply.text)
        parts = answer_text.apart(text)
        answer = form.read(parts.answer) if form and not parts.unfinished else text
        return Answer(
            id=request.id,
            text=answer,
            finish=finish,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=seconds,
            thinking=self._without_key(reply.thinking),
            raw=text if answer != text else None,
        )

    # -------------------------------------------------------------- one call

    def _sent(self, request: Request, learnt: frozenset[str]) -> httpx2.Response:
        messages = folded(request.messages) if "system" in learnt else request.messages
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message.to_json() for message in messages],
            "temperature": 0,
            "max_tokens": request.max_tokens,
        }
        if isinstance(request, Wired):
            body |= request.wire
        if "max_tokens" in learnt:
            body["max_completion_tokens"] = body.pop("max_tokens")
        if "temperature" in learnt:
            del body["temperature"]
        return self._posted(body)

    def _lessons(self, response: httpx2.Response, request: Request, learnt: frozenset[str]) -> frozenset[str]:
        """What of this call the server does not take, so that it can be asked without."""
        status, content = response.status_code, response.content
        more: set[str] = set()
        if status in (400, 422):
            more = completion.unsupported(content) - learnt
        has_system = any(message.role == "system" for message in request.messages)
        if more or not has_system or "system" in learnt or self._system_works:
            return frozenset(more)
        refused = status in (400, 422) and completion.NO_SYSTEM.search(completion.message(content))
        if (refused or (status == 500 and not content.strip())) and self._answers_folded(request, learnt):
            more = {"system"}
        return frozenset(more)

    def _answers_folded(self, request: Request, learnt: frozenset[str]) -> bool:
        """One probe tells whether the system turn is what the server cannot take: the same question without it."""
        try:
            response = self._sent(request, learnt | {"system"})
            return response.status_code < 300 or bool(completion.unsupported(response.content))
        except (RowFailed, Busy, Unusable):
            return False

    def _understood(self, content: bytes, request: Request, learnt: frozenset[str]) -> Completion:
        """Read a chat completion; whatever else it is, it is trouble of this row or of the server."""
        try:
            reply = completion.read(content)
        except Trouble as trouble:
            raise self._troubled(trouble) from None
        with self._lock:
            if reply.model:
                self.reported.add(self._without_key(completion.shown_name(reply.model)))
            if reply.prompt_tokens:
                tokens = float(reply.prompt_tokens + reply.completion_tokens)
                self._tokens_a_call += (tokens - self._tokens_a_call) / 8 if self._tokens_a_call else tokens
            if "system" not in learnt and any(message.role == "system" for message in request.messages):
                self._system_works = True
        return reply
