"""Meeting a model server before it is measured: a handful of calls that find out how it wants to be asked.

Everything is asked as a measurement asks, by the same client, so what is found out here is what later calls need. What
a server refuses is learnt by that client (`endpoint`); what it takes and ignores is found out by looking at what came.
Nothing of anybody's rows is sent.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from app.chat import Message
from app.db import utcnow
from app.inference import answer_text, completion, model_names
from app.inference.constraints import Constraint
from app.inference.endpoint import Endpoint
from app.inference.findings import SEED, Changed, Findings, Line, Manner
from app.inference.generator import Answer, Request, Unusable, folded
from app.inference.server_constraints import Wired
from app.inference.windows import Long, Window, in_words, looked_for, sizes
from app.json_types import JsonObject
from app.wording import plural

LIMIT = 256  # tokens that a probe's answer may have, as in a usual measurement
ROOM = 2048  # the same for a model that thinks longer than that
AT_ONCE = 4
QUESTIONS = (
    "Name five words that rhyme with “light”, in one line.",
    "Write one sentence about a lighthouse in winter.",
    "Give three reasons to keep a diary, in one line.",
    "Describe the taste of an apple in one sentence.",
    "Invent a name for a small bakery and say why, in one sentence.",
    "Write a polite one-line reply to a customer whose parcel is late.",
)
WORD = "KESTREL"
SCHEMA = Constraint(
    "json_schema",
    '{"type":"object","properties":{"label":{"type":"string","enum":["refund","other"]}},"required":["label"],'
    '"additionalProperties":false}',
)
# What servers document to turn thinking off, by what to call it.
SWITCHES: Mapping[str, JsonObject] = {
    "enable_thinking false": {"chat_template_kwargs": {"enable_thinking": False}},
    "reasoning_effort none": {"reasoning_effort": "none"},
    "thinking disabled": {"thinking": {"type": "disabled"}},
    "reasoning off": {"reasoning": {"enabled": False}},
}
FEWEST = 2 + 1 + 3 + 1 + AT_ONCE * len(QUESTIONS)  # a question, the system turn, seed, schema, turns, the same again
MOST = FEWEST + 6 + 6 + len(SWITCHES)  # refused settings, other forms of a schema, switches
TOKENS_A_CALL = 60, 40  # of a short probe: in and out, roughly


class Interrupted(Exception):
    """It was stopped before its end."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a meeting takes, roughly: calls from `fewest` to `most`, tokens in and out."""

    fewest: int
    most: int
    tokens_in: int
    tokens_out: int

    def cost(self, price_in: float, price_out: float) -> float:
        """What that costs, at prices of a million tokens."""
        return (self.tokens_in * price_in + self.tokens_out * price_out) / 1e6


def estimate(budget: int) -> Estimate:
    """budget: tokens that may be sent to find the context window."""
    long = sizes(budget, None)
    calls = FEWEST + len(long)
    return Estimate(calls, MOST + len(long), sum(long) + calls * TOKENS_A_CALL[0], calls * TOKENS_A_CALL[1])


Tell = Callable[[str, int, int], None]


class Meeting:
    """One meeting. asked: the client, with room for `AT_ONCE` calls. budget: see `estimate`. tell: how far it is, as
    stage, calls made and calls expected. stop: asked whether to end."""

    def __init__(self, asked: Endpoint, base_url: str, budget: int, *, tell: Tell, stop: Callable[[], bool]) -> None:
        self._asked, self._base_url, self._budget = asked, base_url, budget
        self._tell, self._stop = tell, stop
        self._most = estimate(budget).fewest
        self._stage = ""
        self._limit = LIMIT
        self.tokens_in = self.tokens_out = 0
        self._lines: list[Line] = []
        self._thinks: set[str] = set()

    def findings(self, first: Request) -> Findings:
        """Ask all of it. first: a question as a measurement asks one, with a system turn and a finished exchange.

        Raises:
            Unusable: the server can't be used; the sentence says why and what to do.
            Interrupted: it was stopped.
        """
        started = time.monotonic()
        at = utcnow().isoformat(timespec="seconds")
        listed = self._asked.in_list()
        answer = self._first(first)
        self._settings(answer)
        self._system()
        manner = Manner(at=at, seed=self._seed(), form=self._schema())
        self._turns()
        switch = self._switch(first)
        window = self._window(listed.window, listed.field)
        alone, together = self._again()
        thinks = self._thinking(switch)
        manner = replace(
            manner,
            without=tuple(sorted(self._asked.learnt)),
            window=window.tokens,
            window_from=window.source,
            cuts=True if window.cuts else None,
            thinks=thinks,
            counts=self._counts(),
            alone=alone,
            together=together,
            answers_as=self._name(),
            ends=self._ends(listed.ends, listed.successor, listed.names),
        )
        return Findings(
            base_url=self._base_url,
            model=self._asked.model,
            calls=self._asked.sent,
            seconds=round(time.monotonic() - started, 1),
            manner=manner,
            lines=tuple(self._lines),
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            switch=switch[1] if switch else None,
            switch_name=switch[0] if switch else None,
        )

    # -------------------------------------------------------------- asking

    def _answers(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Each answer as a measurement would score it; an error is one in `error`."""
        for answer in self._asked.answer(list(requests), self._stop):
            self.tokens_in += answer.prompt_tokens
            self.tokens_out += answer.completion_tokens
            self._tell(self._stage, self._asked.sent, max(self._most, self._asked.sent))
            if answer_text.apart(answer.text).thinking:
                self._thinks.add("inside")
            yield answer_text.settled(answer, self._limit)

    def _one(self, *messages: Message, wire: JsonObject | None = None) -> Answer:
        request = Wired("probe", messages, self._limit, wire=dict(wire or {}))
        answer = next(self._answers([request]), None)
        if answer is None:
            raise Interrupted
        return answer

    def _line(self, name: str, sentence: str, asked: str, came: str, *, differs: bool = False) -> None:
        self._lines.append(Line(name=name, sentence=sentence, asked=asked, came=came, differs=differs or None))

    def _begin(self, stage: str) -> None:
        self._stage = stage
        self._tell(stage, self._asked.sent, max(self._most, self._asked.sent))

    # -------------------------------------------------------------- what it takes

    def _first(self, first: Request) -> Answer:
        self._begin("Asking as a measurement asks")
        answer = self._one(*first.messages)
        if answer.error is not None and self._places():
            self._limit = ROOM
            answer = self._one(*first.messages)
        if answer.error is not None:
            raise Unusable(answer.error)
        if not answer.text.strip():
            raise Unusable("The model answered with nothing at all. Check the model's name and its settings.")
        return answer

    def _settings(self, answer: Answer) -> None:
        learnt, came = self._asked.learnt, f"answered {_quoted(answer.text)}"
        limit = "max_tokens" in learnt
        self._line(
            "limit",
            f"It takes {'max_completion_tokens, not max_tokens' if limit else 'max_tokens'}.",
            f"max_tokens {self._limit}{' and, once that was refused, max_completion_tokens' if limit else ''}",
            self._refused("max_tokens") or came,
        )
        cold = "temperature" not in learnt
        self._line(
            "temperature",
            "It takes temperature 0." if cold else "It does not take temperature 0: answers may differ between runs.",
            "temperature 0",
            self._refused("temperature") or came,
            differs=not cold,
        )

    def _system(self) -> None:
        """A system turn may be refused, or taken and never read: the word in it tells."""
        came = self._refused("system") or self._heeded()
        differs = "system" in self._asked.learnt
        sentence = (
            "It takes no system turn, or does not read it: instructions stand in front of the first question."
            if differs
            else "It takes a system turn."
        )
        asked = "a system turn that holds a word, and the question which word it is"
        self._line("system", sentence, asked, self._refused("system") or came, differs=differs)

    def _heeded(self) -> str:
        """What came of asking for a word of the system turn; where the same words in front of the question do better,
        the server takes system turns and leaves them out."""
        turns = (
            Message("system", f"The secret word of this conversation is {WORD}."),
            Message("user", "What is the secret word? Reply with that word alone."),
        )
        answer = self._one(*turns)
        if WORD in answer.text.upper() or "system" in self._asked.learnt:
            return _words_of(answer)
        without = self._one(*folded(turns))
        if WORD not in without.text.upper():
            return f"{_words_of(answer)}, and without a system turn {_words_of(without)}: that says nothing"
        self._asked.leave_out("system")
        return f"{_words_of(answer)}; with the same words in front of the question {_quoted(without.text)}"

    def _refused(self, lesson: str) -> str:
        """The server's words when it refused this; empty where it did not."""
        return self._asked.refusals.get(lesson, "")

    def _seed(self) -> int | None:
        self._begin("Looking at settings")
        answer = self._one(Message("user", "Say: ready"), wire={"seed": SEED})
        taken = answer.error is None
        self._line(
            "seed",
            f"It takes a seed; every question is asked with seed {SEED}." if taken else "It takes no seed.",
            f"seed {SEED}",
            _words_of(answer),
        )
        return SEED if taken else None

    def _schema(self) -> str | None:
        form = self._asked.form_of(SCHEMA)
        self._line(
            "schema",
            f"It holds answers to a JSON schema ({form})." if form else "It does not hold answers to a JSON schema.",
            "three times for a plain word, with a schema that forbids it",
            "never the plain word" if form else "the field was refused, or the plain word came",
            differs=not form,
        )
        return form or None

    def _turns(self) -> None:
        answer = self._one(Message("user", "The ticket is about a parcel."), Message("user", "Say: ready"))
        strict = "turns" in self._asked.learnt
        refused = answer.error is not None
        self._line(
            "turns",
            "It wants the speakers to take turns: several turns of one speaker are sent as one."
            if strict
            else "It refuses two turns of one speaker in a row, in any form that was tried."
            if refused
            else "It takes two turns of one speaker in a row.",
            "two user turns, one after the other",
            self._refused("turns") or _words_of(answer),
            differs=strict or refused,
        )

    # -------------------------------------------------------------- thinking

    def _switch(self, first: Request) -> tuple[str, JsonObject] | None:
        """What turns thinking off, where the model thinks and anything does."""
        if not self._places():
            return None
        self._begin("Looking for a switch for its thinking")
        for name, wire in SWITCHES.items():
            before = set(self._places())
            self._asked.places.clear()
            self._thinks.clear()
            answer = self._one(*first.messages, wire=wire)
            quiet = not self._places() and answer.error is None
            self._asked.places |= before - {"inside"}
            self._thinks |= before & {"inside"}
            if quiet:
                return name, wire
        return None

    def _places(self) -> set[str]:
        return self._asked.places | self._thinks

    def _thinking(self, switch: tuple[str, JsonObject] | None) -> str | None:
        where = {
            "apart": "in a field of its own, beside the answer",
            "part": "in parts of its own, in the list that the answer is",
            "inside": "inside the text of the answer, between marks that are taken off",
        }
        places = [name for name in where if name in self._places()]
        if not places:
            self._line("thinking", "It answered without thinking.", "every probe", "no thinking beside or in an answer")
            return None
        off = f"It can be turned off: {switch[0]}." if switch else "Nothing that was tried turns it off."
        self._line(
            "thinking",
            f"It thinks before it answers, {' and '.join(where[name] for name in places)}. {off}",
            f"every probe; then without thinking, by {', '.join(SWITCHES)}",
            f"answered without thinking with {switch[0]}" if switch else "it went on thinking, or refused",
            differs=True,
        )
        return places[0]

    # -------------------------------------------------------------- window, tokens, name

    def _window(self, declared: int | None, field: str) -> Window:
        """Grow a prompt until it is refused or cut, or the budget is used up."""
        tried: list[Long] = []
        for size in sizes(self._budget, declared):
            self._begin(f"Sending a prompt of about {plural(size, 'token')}")
            long = looked_for(size, WORD)
            answer = self._one(Message("user", long))
            tried.append(Long(size, len(long), answer.prompt_tokens, WORD in answer.text.upper(), answer.error or ""))
            if tried[-1].error:
                break
        result = in_words(tried, declared, field)
        self._line("window", result.sentence, result.asked, result.came, differs=result.cuts)
        return result

    def _counts(self) -> str:
        counts = self._asked.counts
        known = "present" in counts
        self._line(
            "usage",
            "It says how many tokens were used."
            if known
            else "It does not say how many tokens were used: costs are estimates from characters.",
            "every probe",
            f"usage {' or '.join(sorted(counts)) or 'missing'}",
            differs=not known,
        )
        return "present" if known else next(iter(sorted(counts)), "missing")

    def _name(self) -> str | None:
        wanted = self._asked.model
        others = sorted(name for name in self._asked.reported if not model_names.same_model(wanted, name))
        came = ", ".join(sorted(self._asked.reported)) or "no name"
        self._line(
            "name",
            f"You asked for {model_names.shown_name(wanted)}, and {' and '.join(others)} answered."
            if others
            else "The model that was asked for answers.",
            model_names.shown_name(wanted),
            came,
            differs=bool(others),
        )
        return others[0] if others else None

    def _ends(self, ends: str, successor: str, names: int) -> str | None:
        instead = f" It names {successor} instead." if ends and successor else ""
        self._line(
            "ends",
            f"The server says that this model is there until {ends}.{instead}"
            if ends
            else "The server names no day on which this model ends.",
            "its list of models",
            f"{plural(names, 'model')} listed" if names else "no list of models",
        )
        return ends or None

    # -------------------------------------------------------------- the same again

    def _again(self) -> tuple[Changed | None, Changed | None]:
        """The same questions twice alone, and twice with others beside them: what comes otherwise is noise."""
        self._begin("Asking the same again, alone")
        first = {question: self._one(Message("user", question)) for question in QUESTIONS}
        second = [(question, self._one(Message("user", question))) for question in QUESTIONS]
        alone = self._changed("alone", first, second)
        self._begin(f"Asking the same again, {AT_ONCE} at once")
        crowd = [
            Request(f"{number} {question}", (Message("user", question),), self._limit)
            for number in range(2)
            for question in QUESTIONS
        ]
        beside = [(answer.id.partition(" ")[2], answer) for answer in self._answers(crowd)]
        if len(beside) < len(crowd):
            raise Interrupted
        return alone, self._changed("together", first, beside)

    def _changed(self, name: str, before: Mapping[str, Answer], after: Iterable[tuple[str, Answer]]) -> Changed | None:
        pairs = [(before[question], again) for question, again in after]
        pairs = [(one, again) for one, again in pairs if one.error is None and again.error is None]
        if not pairs:
            self._line(name, "It could not be found out: no two answers came.", "the same questions", "errors only")
            return None
        other = [again for one, again in pairs if one.text != again.text]
        changed = Changed(changed=len(other), of=len(pairs))
        self._line(
            name,
            f"{changed.sentence}." if other else f"None of {plural(len(pairs), 'answer')} changed.",
            f"{plural(len(QUESTIONS), 'question')}, {'again one by one' if name == 'alone' else 'again four at once'}",
            f"for example {_quoted(other[0].text)}" if other else "the same text each time",
            differs=bool(other),
        )
        return changed


def _quoted(text: str) -> str:
    return f"“{completion.excerpt(text.encode())[:120]}”"


def _words_of(answer: Answer) -> str:
    """What came of one probe."""
    if answer.error is None:
        return f"answered {_quoted(answer.text)}"
    return re.sub(r"\AThe model server refused this row", "refused", answer.error)[:300]
