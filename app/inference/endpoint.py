"""A model behind an OpenAI-compatible address, as one that answers; `server_calls` says how a server is asked.

What a server does not take (a setting, a system turn) is known from a meeting with it (`meeting`), or learnt from being
refused, once for all calls, those in flight too. What comes back is a stranger's text: it is parsed strictly
(`completion`), bounded in size and never shown as anything but text.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from app.chat import Message
from app.inference import answer_text, completion, model_list, model_names
from app.inference.completion import Completion, Trouble
from app.inference.constraints import Constraint
from app.inference.failures import Busy, RowFailed
from app.inference.findings import PLAIN, Manner
from app.inference.generator import Answer, Request, Unusable, folded, joined
from app.inference.model_list import Listed
from app.inference.outbound import Received
from app.inference.schedule import Turn
from app.inference.server_calls import ServerCalls
from app.inference.server_constraints import ServerConstraints, Wired


class Endpoint(ServerCalls[Request, Completion, Answer]):
    """A `Generator` that asks a server, up to `concurrency` requests at once.

    learnt: what the server does not take, known before (`asks_as`) or met since: a setting by its name, `system` (a
    system turn), `turns` (several turns of one speaker). refusals: its words on what was learnt here. places: where
    thinking stood in answers, counts: what it said of tokens (`Completion`). sent: calls so far.
    """

    door = "/chat/completions"
    probe = Request("probe", (Message("user", "Reply with the single word: ready"),), 64)
    _system_works = False

    def __init__(self, *address: Any, **more: Any) -> None:
        super().__init__(*address, **more)
        self.refusals: dict[str, str] = {}
        self.places: set[str] = set()
        self.counts: set[str] = set()
        self.sent = 0
        self.asks_as(None)

    def asks_as(self, manner: Manner | None) -> None:
        """Ask from now on as this says; None: as one asks a server that nobody met."""
        known = manner or PLAIN
        self._learnt = frozenset(known.without)
        self._also_sent = known.also_sent
        self._keeping = ServerConstraints(self._asked, first=known.form)

    def answer(self, requests: Sequence[Request], stop: Callable[[], bool]) -> Iterator[Answer]:
        return self.results(requests, stop)

    @property
    def learnt(self) -> frozenset[str]:
        return self._learnt

    def leave_out(self, lesson: str) -> None:
        """Ask without this from now on: the server takes it and does not heed it."""
        with self._lock:
            self._learnt |= {lesson}

    def form_of(self, constraint: Constraint) -> str:
        """How the server keeps a constraint (`wire_forms`); empty where in no form. Asks it, with a few probes.

        Raises:
            Unusable: it can't be asked.
        """
        self._stopped = threading.Event()  # it is asked outside of a run
        try:
            _, form = self._keeping.wired(Request("form", self.probe.messages, self.probe.max_tokens, constraint))
        except (RowFailed, Busy):
            return ""
        except Unusable as error:
            raise Unusable(self._without_key(str(error))) from None
        return form.name if form else ""

    def in_list(self) -> Listed:
        """What the server's list of models says of this one; nothing where it has none, or none for us."""
        self._stopped = threading.Event()
        try:
            response = self._listed()
        except (RowFailed, Busy, Unusable):
            return Listed()
        return model_list.read(response.content, self.model) if response.status == 200 else Listed()

    @property
    def remarks(self) -> list[str]:
        """What is different from how a question is usually asked, because this server does not take it."""
        sentences = {
            "temperature": "Asked without temperature 0, which the server does not take: answers may differ between "
            "runs.",
            "system": "The server takes no system turn, so the instructions stand in front of the first question.",
            "turns": "The server wants the speakers to take turns, so several turns of one speaker are sent as one.",
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

    def _sent(self, request: Request, learnt: frozenset[str]) -> Received:
        messages = folded(request.messages) if "system" in learnt else request.messages
        messages = joined(messages) if "turns" in learnt else messages
        body: dict[str, object] = {
            "model": self.model,
            "messages": [message.to_json() for message in messages],
            _limit(learnt): request.max_tokens,
        }
        if "temperature" not in learnt:
            body["temperature"] = 0
        body |= {name: value for name, value in self._also_sent.items() if name not in learnt}
        if isinstance(request, Wired):
            body |= request.wire
        with self._lock:
            self.sent += 1
        return self._posted(body)

    def _lessons(self, response: Received, request: Request, learnt: frozenset[str]) -> frozenset[str]:
        """What of this call the server does not take, so that it can be asked without."""
        status, content = response.status, response.content
        lessons: frozenset[str] = frozenset()
        if status in (400, 422):
            sent = ({_limit(learnt), "temperature"} | self._also_sent.keys()) - learnt
            lessons = frozenset(completion.unsupported(content, sent))
        turns_refused = status in (400, 422) and completion.NO_SYSTEM.search(completion.message(content))
        if not lessons and (turns_refused or (status == 500 and not content.strip())):
            tried = (learnt | ways for ways in self._ways(request, learnt))
            lessons = next((ways - learnt for ways in tried if self._answers_so(request, ways)), lessons)
        if lessons:
            words = f"status {status}: {self._words(content)}".removesuffix(": ")
            with self._lock:
                self.refusals |= dict.fromkeys(lessons, words)
        return lessons

    def _ways(self, request: Request, learnt: frozenset[str]) -> Iterable[frozenset[str]]:
        """In which other forms these turns could be sent, the one that changes least first."""
        has_system = any(message.role == "system" for message in request.messages)
        no_system = {"system"} if has_system and "system" not in learnt and not self._system_works else set()
        messages = folded(request.messages) if no_system or "system" in learnt else request.messages
        again = any(first.role == second.role for first, second in pairwise(messages))
        no_rows = {"turns"} if again and "turns" not in learnt else set()
        return dict.fromkeys(frozenset(way) for way in (no_system, no_rows, no_system | no_rows) if way)

    def _answers_so(self, request: Request, learnt: frozenset[str]) -> bool:
        """One probe tells whether the form of the turns is what the server cannot take: the same question, otherwise
        sent."""
        try:
            response = self._sent(request, learnt)
            return response.status < 300 or bool(completion.unsupported(response.content))
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
                self.reported.add(self._without_key(model_names.shown_name(reply.model)))
            self.places |= {reply.place} - {""}
            self.counts.add(reply.counts)
            if reply.prompt_tokens:
                tokens = float(reply.prompt_tokens + reply.completion_tokens)
                self._tokens_a_call += (tokens - self._tokens_a_call) / 8 if self._tokens_a_call else tokens
            if "system" not in learnt and any(message.role == "system" for message in request.messages):
                self._system_works = True
        return reply


def _limit(learnt: frozenset[str]) -> str:
    """The name of the answer limit: the newer one where the server refused the usual one, unless that is refused."""
    newer = "max_tokens" in learnt and "max_completion_tokens" not in learnt
    return "max_completion_tokens" if newer else "max_tokens"
