"""What is doubtful in question or answer: refusals, placeholders, loops, echoes, another language.

Each row gets marks while it is read, when nobody knows yet whether the file's answers are labels, JSON or prose;
`found` then says which marks count. A label is short, repeats and may well be called `none` or `refused`; what would
be a fault of prose is none of a label's. Marked rows stay in use: these are hints for a person, and each detector is
written to keep silent on clean sets rather than to find everything (`tests/bench/bench_data.py` has both rates).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import groupby

from app.datasets.formats import Level, Record


class Mark(IntFlag):
    """What was noticed in one row."""

    REFUSAL = 1  # the answer declines to answer
    PLACEHOLDER = 2  # something was to be filled in and was not
    REPEAT = 4  # a text runs in a loop
    ECHO = 8  # the answer is the question again
    LANGUAGE = 16  # the answer is in another language than the question
    BARE_PLACEHOLDER = 32  # the whole answer is a word such as `none`, which a label may be


_DECLINED = "help|assist|answer|provide|fulfil|comply|engage|create|generate|access|do"
_REFUSAL = re.compile(
    r"(?:i(?:['\u2019]m| am) (?:very |really |so |truly )?sorry,? (?:but |however,? )?(?:i |as an ai|this request)"
    r"|sorry,? (?:but )?i(?: can(?:no|['\u2019])t|(?: am|['\u2019]m) (?:not able|unable))"
    r"|i apologi[sz]e,? but i"
    r"|as an? (?:ai|artificial intelligence)\b"
    r"|as a (?:large )?language model"
    r"|i(?:['\u2019]m| am) (?:just |only )?an? (?:ai|artificial intelligence|language model)\b"
    rf"|i(?:['\u2019]m| am) (?:unable|not able|not allowed|not programmed) to (?:{_DECLINED})"
    rf"|i (?:can(?:no|['\u2019])t|won['\u2019]t|will not|must decline to) (?:{_DECLINED}) "
    r"(?:you )?(?:with )?(?:that|this|your|such|the request|any)"
    r"|es tut mir leid,? aber (?:ich|als)|als (?:ki|k\u00fcnstliche intelligenz|sprachmodell)\b"
    r"|je suis d\u00e9sol\u00e9e?,? mais je|en tant qu['\u2019](?:ia|intelligence artificielle|un mod\u00e8le)"
    r"|lo siento,? (?:pero )?(?:no puedo|como)|como (?:una )?(?:ia|inteligencia artificial|modelo de lenguaje)\b"
    r"|mi dispiace,? ma (?:non posso|come)|in quanto (?:ia|intelligenza artificiale|modello)"
    r"|desculpe,? (?:mas )?(?:n\u00e3o posso|como)|als (?:een )?(?:ai|taalmodel)\b|het spijt me,? maar ik)",
    re.IGNORECASE,
)
_GREETING = re.compile(r"\W{0,3}(?:(?:unfortunately|well|hello|hi|oh),? )?", re.IGNORECASE)
# Whole answers, in lower case. Of the first even one among real labels is none; a label may well be one of the others.
_NEVER_A_LABEL = frozenset(
    {"todo", "tbd", "tba", "fixme", "xxx", "xxxx", "placeholder", "lorem", "foobar", "asdf", "qwerty"}
    | {"--", "---", ".", "..", "...", "??", "???"}
)
_BARE = _NEVER_A_LABEL | {
    *("n/a", "na", "none", "null", "nil", "nan", "undefined", "unknown", "empty", "blank", "missing"),
    *("foo", "bar", "test", "testing", "?", "-", "_", "__", "___"),
}
_LEFT_OPEN = re.compile(
    r"lorem ipsum dolor"
    r"|\[(?:insert|enter|add|fill in|your|placeholder|todo|tbd|to be)\b[^\[\]\n]{0,60}\]"
    r"|<(?:insert|enter|add|fill in|your|placeholder|todo)[ _][^<>\n]{0,60}>"
    r"|\{\{ ?(?:insert|your|placeholder|todo|answer|response|completion|output)[^{}\n]{0,40}\}\}"
    r"|\b(?:todo|tbd|fixme)\b ?:? ?(?:write|add|fill|answer|complete|replace|insert)"
    r"|(?:answer|response|text|content) (?:goes|to be added|to be written) here"
    r"|\byour (?:answer|text|response) here\b",
    re.IGNORECASE,
)
_LEFT_OPEN_HINTS = ("[", "<", "{", "lorem", "todo", "tbd", "fixme", "here")  # one of them stands in each

_RUN = 12  # times one letter
_LETTER_RUN = re.compile(rf"([^\W\d_])\1{{{_RUN - 1}}}")
_TIMES = 4  # repeats of a stretch from which on it is a loop
_LOOP_SHARE = 0.4  # of the text's words that the loop has to cover
_LONGEST_STRETCH = 30  # words
_LOOP_WORDS = 12
_FEW_DIFFERENT = 0.55  # a loop leaves few different words; a text with more needs no closer look

ECHO_LENGTH = 20  # characters; a short answer may well stand in its question
ECHO_MORE = 1.15  # length of an echo, in lengths of its question

LANGUAGE_LENGTH = 60  # characters of an answer from which on its language is worth a word; shorter ones are names

RARE = 20  # rows of a label from which on it is no slip
THE_TASK = 0.3  # share of rows from which on refusing, or another language, is more likely the task than a slip
FIRST_LINES = 50


def marks(record: Record, asked: str, language: str, answer_language: str) -> Mark:
    """What is noticed in a row. asked: what the user said last; the languages as `languages.of` gives them."""
    found = Mark(0)
    answer = record.target.strip()
    if refuses(answer):
        found |= Mark.REFUSAL
    if answer.casefold() in _BARE:
        found |= Mark.BARE_PLACEHOLDER
        if answer.casefold() in _NEVER_A_LABEL:
            found |= Mark.PLACEHOLDER
    if left_open(answer) or left_open(asked) or asked.strip().casefold() in _NEVER_A_LABEL:
        found |= Mark.PLACEHOLDER
    if loops(answer) or loops(asked):
        found |= Mark.REPEAT
    if echoes(asked, answer):
        found |= Mark.ECHO
    if language and answer_language and language != answer_language and tells(answer):
        found |= Mark.LANGUAGE
    return found


def tells(answer: str) -> bool:
    """Whether an answer is long enough for its language to be worth a word."""
    return len(answer) >= LANGUAGE_LENGTH


def refuses(answer: str) -> bool:
    """Whether an answer begins the way in which models and people decline to answer."""
    start = answer[:200]
    greeting = _GREETING.match(start)
    return len(start) >= 12 and _REFUSAL.match(start, greeting.end() if greeting else 0) is not None


def left_open(text: str) -> bool:
    """Whether the text holds something that was to be filled in."""
    lower = text.casefold()
    return any(hint in lower for hint in _LEFT_OPEN_HINTS) and _LEFT_OPEN.search(text) is not None


def loops(text: str) -> bool:
    """Whether a stretch of words, a line or a letter comes again and again without a break."""
    if len(text) < 24:
        return _LETTER_RUN.search(text) is not None
    words = text.split()
    longest = max(map(len, words), default=0)
    if len(words) < len(text) / 20:  # a script without spaces, or one long line of signs
        words = list(text)
    if len(words) >= _LOOP_WORDS and len(set(words)) <= _FEW_DIFFERENT * len(words):
        words = [word.casefold().strip(".,;:!?") for word in words]
        if any(any(sign.isalpha() for sign in word) for word in words[:50]) and _periodic(words):
            return True
    return longest >= _RUN and _LETTER_RUN.search(text) is not None


def _periodic(words: list[str]) -> bool:
    """Whether some stretch stands at least four times in a row and makes up a good part of the words."""
    enough = max(_LOOP_SHARE * len(words), _LOOP_WORDS)
    for period in range(1, min(_LONGEST_STRETCH, len(words) // _TIMES) + 1):
        same = (one == other for one, other in zip(words, words[period:], strict=False))
        longest = max((sum(1 for _ in run) for equal, run in groupby(same) if equal), default=0)
        if longest >= (_TIMES - 1) * period and longest + period >= enough:
            return True
    return False


def echoes(asked: str, answer: str) -> bool:
    """Whether the answer is the question, or little more."""
    question = asked.strip()
    if question.casefold() == answer.casefold():
        return True
    if len(question) < ECHO_LENGTH or not ECHO_LENGTH <= len(answer) <= ECHO_MORE * len(question) + 10:
        return False
    one, other = " ".join(question.casefold().split()), " ".join(answer.casefold().split())
    return one in other


@dataclass(frozen=True, slots=True)
class Finding:
    """What the report says about one kind. lines: the first of the upload's lines it is about."""

    kind: str
    rows: int
    lines: list[int]
    text: str
    level: Level


WORDS = {
    Mark.REFUSAL: ("refusal", "answer{s} decline{one} to answer ({share}); a model learns to decline from such rows"),
    Mark.PLACEHOLDER: ("placeholder", "row{s} hold{one} something that was never filled in ({share})"),
    Mark.REPEAT: ("repeat", "row{s} run{one} in a loop, the same words again and again ({share})"),
    Mark.ECHO: ("echo", "answer{s} only repeat{one} the question ({share})"),
    Mark.LANGUAGE: ("other_language", "answer{s} {are} in another language than the question ({share})"),
}


def found(
    flags: Sequence[int], task: str, line: Callable[[int], int], answer_rows: Callable[[int], int]
) -> tuple[list[Finding], bytearray]:
    """What to report; and for each row the marks that count.

    flags: the marks of every row. task: labels, json or text. line: of the row at a position. answer_rows: how many
    rows have the same answer as the row at a position.
    """
    counting = bytearray(len(flags))
    for index, given in enumerate(flags):
        if given:
            counting[index] = _counting(Mark(given), task, index, answer_rows) & ~Mark.BARE_PLACEHOLDER
    total = max(1, len(counting))
    findings = []
    for mark, (kind, words) in WORDS.items():
        rows = [index for index, one in enumerate(counting) if one & mark.value]
        if not rows:
            continue
        share = len(rows) / total
        task_like = share >= THE_TASK and mark in (Mark.REFUSAL | Mark.LANGUAGE)
        one = len(rows) == 1
        said = words.format(
            share=f"{share:.1%}", s="" if one else "s", one="s" if one else "", are="is" if one else "are"
        )
        text = f"{len(rows):,} {said}."
        if task_like:
            text = text[:-1] + "; so many may well be the task."
        level: Level = "note" if task_like or mark is Mark.LANGUAGE else "warning"
        findings.append(Finding(kind, len(rows), [line(index) for index in rows[:FIRST_LINES]], text, level))
    return findings, counting


def _counting(mark: Mark, task: str, index: int, answer_rows: Callable[[int], int]) -> Mark:
    if task == "labels":
        if Mark.BARE_PLACEHOLDER in mark and answer_rows(index) < RARE:
            mark |= Mark.PLACEHOLDER
        return mark & ~(Mark.REFUSAL | Mark.LANGUAGE)
    if Mark.BARE_PLACEHOLDER in mark:
        mark |= Mark.PLACEHOLDER
    if task == "json":
        mark &= ~(Mark.REFUSAL | Mark.LANGUAGE)
    return mark
