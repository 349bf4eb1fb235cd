"""Whether a model server really keeps a constraint: it is asked for what the constraint forbids, before any row.

A server may ignore a field that it does not know and answer as it likes; nobody would notice until the answers are
counted. So every form (`wire_forms`) is tried with questions whose plain answer breaks the constraint. A server that
gives the plain answer does not keep it in this form; one that keeps it in no form gets no row to answer.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from app.chat import Message
from app.inference import answer_text, wire_forms
from app.inference.completion import Completion
from app.inference.constraints import Constraint
from app.inference.failures import RowFailed
from app.inference.generator import Request
from app.inference.wire_forms import Form
from app.json_types import JsonObject
from app.wording import plural

PROBES = 3
KEEPS = "The server keeps the output constraint"  # how a remark begins that is no warning; kept with results
PROBE_TOKENS = 512  # of a probe's answer: enough for thinking a little first
FORBIDDEN = ("ready", "READY 7!", "two words", "3.14", "§ 12", "no-reply@", "Ω", "x" * 40, "[", "a\tb")
BEGINS_JSON = frozenset('{["-0123456789tfn')


@dataclass(frozen=True, slots=True)
class Wired(Request):
    """A request with what is added to its body."""

    wire: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Kept:
    """What probes came to: the form that the server keeps, or why it keeps none."""

    form: Form | None
    against: str = ""
    calls: int = 0


class ServerConstraints:
    """What one server keeps, found out once for each constraint. Safe to use from several threads.

    ask: one question to the server; raises as `Endpoint` does. first: the form that it was seen to keep before.
    """

    def __init__(self, ask: Callable[[Request], tuple[Completion, float]], first: str | None = None) -> None:
        self._ask = ask
        self._first = first
        self._kept: dict[Constraint, Kept] = {}
        self._lock = threading.Lock()

    def wired(self, request: Request) -> tuple[Request, Form | None]:
        """A request as this server is asked, and how its answer is read.

        Raises:
            RowFailed: the server does not keep the constraint.
            Busy, Unusable: it could not be asked.
        """
        if request.constraint is None:
            return request, None
        with self._lock:
            if request.constraint not in self._kept:
                self._kept[request.constraint] = self._find(request.constraint)
        kept = self._kept[request.constraint]
        if kept.form is None:
            raise RowFailed(kept.against)
        return _wired(request, kept.form), kept.form

    @property
    def remarks(self) -> list[str]:
        """How constraints are kept here, and what had to be changed for that."""
        sentences = []
        for kept in self._kept.values():
            if kept.form is not None:
                sentences.append(
                    f"{KEEPS} ({kept.form.name}): {plural(PROBES, 'probe call')} asked "
                    "for what it forbids, and none got it."
                )
                sentences += kept.form.changes
        return sentences

    def _find(self, constraint: Constraint) -> Kept:
        words = [word for word in FORBIDDEN if not constraint.check.keeps(word)][:PROBES]
        if not words:
            return Kept(None, "It cannot be checked whether the server keeps this: it forbids hardly anything.")
        reasons: dict[str, str] = {}
        calls = 0
        for form in sorted(wire_forms.forms(constraint), key=lambda form: form.name != self._first):
            broken = ""
            for word in words:
                calls += 1
                if broken := self._broken(constraint, form, word):
                    break
            if not broken:
                return Kept(form, calls=calls)
            reasons[form.name] = broken
        return Kept(None, _sentence(reasons), calls)

    def _broken(self, constraint: Constraint, form: Form, word: str) -> str:
        """How one probe broke the constraint; empty where it was kept."""
        question = Message("user", f"Reply with exactly this and nothing else: {word}")
        probe = Request("probe", (question,), PROBE_TOKENS, constraint)
        try:
            reply, _ = self._ask(_wired(probe, form))
        except RowFailed as refused:
            if "Cancelled" in str(refused):
                raise
            return f"it refused the field ({str(refused)[:200]})"
        text = form.read(answer_text.apart(reply.text).answer)
        cut = reply.finish == "length" or reply.completion_tokens >= PROBE_TOKENS
        if cut and _may_begin(constraint, text):
            return ""
        return "" if constraint.check.keeps(text) else "it answered as if nothing had been asked for"


def _wired(request: Request, form: Form) -> Wired:
    return Wired(
        request.id,
        request.messages,
        request.max_tokens,
        request.constraint,
        fresh=request.fresh,
        wire=dict(form.wire),
    )


def _may_begin(constraint: Constraint, text: str) -> bool:
    """Whether a text that was cut may be the beginning of an answer that keeps the constraint."""
    match constraint.kind:
        case "json_schema":
            return text.lstrip()[:1] in BEGINS_JSON
        case "labels":
            return any(label.startswith(text.strip()) for label in constraint.labels)
        case _:
            return False


def _sentence(reasons: dict[str, str]) -> str:
    """What is said of a server that keeps the constraint in no form."""
    ignored = [name for name, reason in reasons.items() if not reason.startswith("it refused")]
    tried = ", ".join(reasons)
    if ignored:
        why = f"Asked for something that is forbidden, it gave it ({', '.join(ignored)})."
    else:
        why = f"Last: {list(reasons.values())[-1]}."
    return f"This server does not keep the output constraint (tried: {tried}). {why} Nothing was asked without it."
