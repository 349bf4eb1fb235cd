"""What a server sent, read as one answer or as the trouble that it is. Pure: bytes in, values out.

Servers and gateways say the same things in many ways: text as a list of parts, thinking beside it, an error inside a
200, a stream nobody asked for. All of it is read here, strictly: what is not surely an answer is never taken for one.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

import orjson

from app.inference.chat_body import ChatBody, ChatMessage
from app.inference.generator import Finish
from app.json_types import JsonObject

EXCERPT = 300  # characters of a stranger's text in one of our sentences
LONGEST = 200_000  # characters of an answer, and of the thinking before it; whoever scores or shows it has to end
SAYING = 4_000  # characters of a fault's message that anything is looked for in
LONGEST_NAME, MOST_NAMES = 200, 200  # characters of a model's name, and names of a list, that are kept
DEEPEST = 20  # lists in a list of faults

# Why an answer ended, in the words of servers. What is not in one of these is not known, and never means "finished".
FINISHED = frozenset(
    {"stop", "eos", "eos_token", "end_turn", "end", "stop_sequence", "stop_token", "complete", "completed", "finish"}
)
CALLED = frozenset({"tool_calls", "function_call", "tool_use", "tool_call"})
CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "token_limit"})
WITHHELD = frozenset(
    {"content_filter", "sensitive", "safety", "recitation", "prohibited_content", "blocklist", "spii", "refusal"}
)

Sort = Literal["row", "again", "wide", "quota"]


class Trouble(Exception):
    """No answer. sort says whom it concerns.

    row: this row only. again: this row, which may be asked again. wide: the server is busy or away for everybody.
    quota: nobody will get an answer until somebody pays.
    """

    def __init__(self, sort: Sort, text: str) -> None:
        super().__init__(text)
        self.sort = sort


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer as it came. Token counts are 0 where the server did not say; model: the name it gave. place: where
    thinking stood: apart from the content, or a part of it; empty where there was none. counts: what the server said of
    tokens: present, zero or missing."""

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    thinking: str = ""
    model: str = ""
    place: Literal["", "apart", "part"] = ""
    counts: Literal["present", "zero", "missing"] = "present"


def read(content: bytes) -> Completion:
    """Read a chat completion.

    Raises:
        Trouble: it is not an answer; the sentence says what it is.
    """
    try:
        completion = _read(content)
    except (LookupError, TypeError, AttributeError, RecursionError):
        # A value of another kind than the protocol has, or nested so deep that nobody means it: in any of its parts.
        raise Trouble("row", f"The answer is not a chat completion: {excerpt(content)}") from None
    if max(len(completion.text), len(completion.thinking)) > LONGEST:
        raise Trouble("row", f"The answer has more than {LONGEST:,} characters, which is longer than an answer may be.")
    return completion


def _read(content: bytes) -> Completion:
    came = _streamed(content) if content.lstrip()[:5] == b"data:" else _json(content)
    refuse_fault(content, came)
    body = cast("ChatBody", came)  # what is of another kind ends in `read`
    choice = body["choices"][0]
    message: ChatMessage = choice["message"] if "message" in choice else {"content": choice["text"]}
    parts: JsonObject = message
    reason = choice.get("finish_reason")
    content_part, refusal = message.get("content"), message.get("refusal")
    if isinstance(error := choice.get("error"), Mapping):
        raise _fault(content, error)
    finish = _finish(reason)
    text, inside = _text(content_part)
    beside = next(
        (parts[name] for name in ("reasoning_content", "reasoning", "thinking") if parts.get(name)),
        "",
    )
    thinking = "\n".join(part for part in (inside, beside if isinstance(beside, str) else "") if part)
    if calls := _calls(parts):
        text = f"{text.rstrip()}\n{calls}" if text and text.strip() else calls
    if text is None and isinstance(refusal, str) and refusal:
        text = refusal  # what the model says to this question is that it will not answer it
    prompt, completion = _usage(body)
    if text is None and (finish == "length" or thinking):
        text = ""  # all of it went into thinking: told in words by `answer_text.settled`
    if text is None:
        raise Trouble("row", f"The answer holds no text{_because(reason)}.")
    if _is_error(text, body):
        raise Trouble("again", f"The model server gave an error as its answer: {excerpt(text.encode())}")
    name = body.get("model")
    model = excerpt(name[:200].encode()) if isinstance(name, str) else ""
    place: Literal["", "apart", "part"] = "part" if inside else "apart" if thinking else ""
    return Completion(
        storable(text), finish, prompt, completion, storable(thinking), model, place, _counted(body, prompt)
    )


# Some gateways send an error of theirs as the text of an answer, with a usage of nothing at all. It begins as errors do
# and says what errors say; an answer about an error has tokens.
ERROR_BEGINS = re.compile(
    r"\W*(?:(?:api |server |internal |upstream |http )?(?:error|exception)\b|(?:http |status |code )*[45]\d\d\b"
    r"|rate limit|too many requests|quota|service unavailable|(?:the )?(?:server|model) is )",
    re.IGNORECASE,
)
ERROR_SAYS = re.compile(
    r"\b[45]\d\d\b|exceeded|reached|try again|retry|too many requests|overloaded|unavailable|timed? ?out", re.IGNORECASE
)

ERROR_PAGE = re.compile(r"<(?:title|h1)>[^<]{0,100}(?:[45]\d\d|gateway|unavailable|error|denied)", re.IGNORECASE)


def _is_error(text: str, body: JsonObject) -> bool:
    usage = body.get("usage")
    nothing = isinstance(usage, Mapping) and bool(usage) and _usage(body) == (0, 0)
    if nothing and len(text) <= 500:
        return bool(ERROR_BEGINS.match(text) and ERROR_SAYS.search(text)) or is_page(text.encode())
    return (nothing or not usage) and is_page(text.encode()) and bool(ERROR_PAGE.search(text))


def storable(text: str) -> str:
    """A zero character cannot be kept by every database; it is shown as the usual stand-in."""
    return text.replace("\x00", "\ufffd")


def is_page(content: bytes) -> bool:
    """Whether this is a web page, which an address that is not a model server's often gives."""
    return bool(re.match(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body)\b", content[:200], re.IGNORECASE))


def listed_models(content: bytes) -> list[str]:
    """Names in the answer to `GET /models`, sorted: those that could be asked for; nothing where it is no such list."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return []
    entries = body.get("data") if isinstance(body, dict) else body
    names = [entry.get("id") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    usable = {name for name in names if isinstance(name, str) and 0 < len(name) <= LONGEST_NAME and name.isprintable()}
    return sorted(usable)[:MOST_NAMES]


def _json(content: bytes) -> object:
    try:
        return orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        pass
    if is_page(content):
        raise Trouble("row", "This is a web page, not a model server. Check the address: it usually ends in /v1.")
    raise Trouble("row", f"The answer is not JSON: {excerpt(content)}")


def _streamed(content: bytes) -> JsonObject:
    """Put a stream of server-sent events together as the one answer that was asked for."""
    text, thinking, reason = "", "", None
    whole: dict[str, object] = {}
    for line in content.splitlines():
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        part = _json(data)
        if not isinstance(part, dict):
            raise Trouble("row", f"The answer is not a chat completion: {excerpt(content)}")
        if part.get("error"):
            return part
        whole |= {name: part[name] for name in ("model", "usage") if part.get(name)}
        for choice in part.get("choices") or []:
            delta = choice.get("delta") or choice.get("message") or {}
            more, thought = _text(delta.get("content"))
            text += more or ""
            beside = delta.get("reasoning_content") or delta.get("reasoning") or ""
            thinking += (thought or "") + (beside if isinstance(beside, str) else "")
            reason = choice.get("finish_reason") or reason
    if reason is None:
        raise Trouble("again", "The answer came as a stream that broke off before its end.")
    message = {"content": text, "reasoning_content": thinking}
    return {**whole, "choices": [{"message": message, "finish_reason": reason}]}


def _finish(reason: object) -> Finish:
    """Whether an answer is whole; empty where the server does not say.

    Raises:
        Trouble: it was withheld, or it ended in a way that is not the end of an answer.
    """
    if reason is None or reason == "":
        return ""
    word = str(reason).lower()
    if word in FINISHED or word in CALLED:
        return "stop"
    if word in CUT:
        return "length"
    if word in WITHHELD:
        raise Trouble("row", "The model server's content filter withheld the answer.")
    raise Trouble(
        "again", f"The model server broke the answer off (finish reason “{excerpt(str(reason).encode())[:60]}”)."
    )


def _because(reason: object) -> str:
    return f" (finish reason “{excerpt(str(reason).encode())[:60]}”)" if reason else ""


def _text(content: object) -> tuple[str | None, str]:
    """Text and thinking of a message's content: text, or a list of parts (OpenAI, Mistral, Converse)."""
    if content is None or isinstance(content, str):
        return content, ""
    if not isinstance(content, list):
        raise Trouble("row", "The answer's content is neither text nor a list of parts.")
    texts: list[str] = []
    thoughts: list[str] = []
    for part in content:
        kind = part.get("type", "text") if isinstance(part, dict) else "text" if isinstance(part, str) else "?"
        match kind:
            case "text" | "output_text":
                texts += _strings(part)
            case "thinking" | "reasoning" | "redacted_thinking" | "reasoning_content":
                thoughts += _strings(part)
            case "refusal":
                texts += _strings(part)
            case _:
                name = excerpt(str(kind).encode())[:60]
                raise Trouble("row", f"The answer holds a part of type “{name}”, which is not text.")
    return ("".join(texts) if texts else None), "".join(thoughts)


def _strings(part: object) -> Iterator[str]:
    """The texts inside a part, however deep it wraps them."""
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for item in part:
            yield from _strings(item)
    elif isinstance(part, dict):
        names = ("text", "thinking", "reasoning", "content", "refusal", "summary")
        yield from _strings(next((part[name] for name in names if part.get(name)), ""))


def _calls(message: JsonObject) -> str:
    """Tool calls as data sets write them: name and arguments, one object or a list of them."""
    named_calls = message.get("tool_calls") or (
        [{"function": single}] if (single := message.get("function_call")) else []
    )
    calls = []
    for call in named_calls if isinstance(named_calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise Trouble("row", "The answer holds a tool call without a name.")
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = orjson.loads(arguments or "{}")
            except orjson.JSONDecodeError:
                arguments = str(arguments)  # the model wrote something that is not JSON: that is its answer
        calls.append({"name": function["name"], "arguments": {} if arguments is None else arguments})
    return "" if not calls else orjson.dumps(calls[0] if len(calls) == 1 else calls).decode()


def _usage(body: JsonObject) -> tuple[int, int]:
    usage = body.get("usage")
    if not isinstance(usage, Mapping):
        return 0, 0
    return _count(usage, "prompt_tokens", "input_tokens"), _count(usage, "completion_tokens", "output_tokens")


def _counted(body: JsonObject, prompt: int) -> Literal["present", "zero", "missing"]:
    if prompt:
        return "present"
    return "zero" if isinstance(body.get("usage"), Mapping) and body["usage"] else "missing"


def _count(usage: JsonObject, *names: str) -> int:
    value = next((usage[name] for name in names if name in usage), 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else 0


# ------------------------------------------------------------------ faults


@dataclass(frozen=True, slots=True)
class Fault:
    """What a server says is wrong. code: its codes and types in one text; param: the setting it names."""

    message: str
    code: str
    param: str


def faults(content: bytes) -> list[Fault]:
    """Every fault in an answer's body: one object, a list of them, or a validator's list."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return []
    return [_as_fault(error) for error in _objects_within(body)]


def _objects_within(body: object, depth: int = 0) -> Iterator[JsonObject]:
    if isinstance(body, list):
        for item in body[:20] if depth < DEEPEST else ():
            yield from _objects_within(item, depth + 1)
    elif isinstance(body, Mapping):
        inner = next((body[name] for name in ("error", "errors", "detail", "details") if body.get(name)), None)
        if isinstance(inner, Mapping):
            yield {**{name: body[name] for name in ("code", "type", "param") if name in body}, **inner}
        elif isinstance(inner, list):
            yield from _objects_within(inner, depth + 1)
        elif isinstance(inner, str):
            yield {**body, "message": inner}
        elif any(name in body for name in ("message", "msg", "code", "type")):
            yield body


def refuse_fault(content: bytes, body: object) -> None:
    """Return for a body that is no error.

    Raises: Trouble: it says that it is one, whatever the status was.
    """
    if isinstance(body, Mapping) and body.get("error"):
        raise _fault(content, _first_fault(body))


def _first_fault(body: JsonObject) -> JsonObject:
    return next(_objects_within(body), {})


def _as_fault(error: JsonObject) -> Fault:
    texts = (error.get(name) for name in ("message", "msg", "title"))
    text = next((said for said in texts if isinstance(said, str)), "")
    codes = [code for name in ("code", "type", "status") if (code := _word(error.get(name)))]
    where = error.get("param")
    if where is None and isinstance(loc := error.get("loc"), list) and loc:
        where = loc[-1]
    return Fault(text[:SAYING], " ".join(codes), _word(where))


def _word(value: object) -> str:
    """A code or a name; what is neither text nor a number is none."""
    return str(value)[:EXCERPT] if isinstance(value, str | int | float) else ""


# Words and codes for money that is used up: waiting does not help.
PAID = re.compile(
    r"insufficient[_ ](?:quota|balance|credit|fund)|billing|credit balance|out of credit|exceeded your current quota"
    r"|payment[_ ]required|balance (?:is )?(?:too low|insufficient)",
    re.IGNORECASE,
)


def _fault(content: bytes, error: JsonObject) -> Trouble:
    """An error inside an answer that says it succeeded, by its own code: tried again unless that cannot help."""
    fault = _as_fault(error)
    text = f"The model server reported an error: {excerpt((fault.message or '').encode()) or excerpt(content)}"
    code = next((int(part) for part in fault.code.split() if re.fullmatch(r"[45]\d\d", part)), 0)
    if PAID.search(f"{fault.code} {fault.message}") or code == 402:
        return Trouble("quota", text)
    if code in (429, 529):
        return Trouble("wide", text)
    return Trouble("row" if code in (400, 403, 413, 422) else "again", text)


def message(content: bytes) -> str:
    """What a server says is wrong, in its own words, as one of our sentences can hold it."""
    text = next((fault.message for fault in faults(content) if fault.message), "")
    if text:
        return excerpt(text.encode("utf-8", "replace"))
    return "It sent a web page." if is_page(content) else excerpt(content)


UNKNOWN = re.compile(
    r"unsupported|not supported|does(?: not|n.t) support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed"
    r"|invalid[_ ]param|no longer|deprecated|extra[_ ](?:fields|inputs)|only the default|instead",
    re.IGNORECASE,
)
TOO_MUCH = re.compile(
    r"too (?:large|big|high|long|many)|at most|at least|maximum|exceed|less than|greater than|between|must be"
    r"|out of range",
    re.IGNORECASE,
)
NO_SYSTEM = re.compile(
    r"system.{0,60}(?:not supported|unsupported|not allowed|invalid|not permitted)|roles? must alternate|must alternate"
    r"|(?:unsupported|invalid|unknown|unexpected).{0,30}(?:role|system)|only user and assistant|first message",
    re.IGNORECASE | re.DOTALL,
)


LIMITS = ("max_tokens", "max_completion_tokens")


def unsupported(content: bytes, settings: Collection[str] = (*LIMITS, "temperature")) -> set[str]:
    """Which of these settings the server does not take, from `param` or from the sentence alone, which may name another
    one to use instead.

    A limit that is too high is no setting that is not known: nothing is learnt from it.
    """
    names = set()
    for fault in faults(content):
        text = f"{fault.message} {fault.code}"
        too_much = TOO_MUCH.search(fault.message) and not UNKNOWN.search(text)
        for name in settings:
            named = re.search(rf"(?<![\w]){name}(?![\w])", fault.message)
            if (fault.param == name and (name not in LIMITS or not too_much)) or (
                not fault.param and named and UNKNOWN.search(text) and not TOO_MUCH.search(fault.message)
            ):
                names.add(name)
    return names


def excerpt(content: bytes) -> str:
    """The beginning of a stranger's text, without control characters."""
    text = content[: 4 * EXCERPT].decode("utf-8", "replace")
    text = "".join(character if character.isprintable() else " " for character in text)
    text = " ".join(text.split())
    return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"
