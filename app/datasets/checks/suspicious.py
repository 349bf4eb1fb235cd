"""What is doubtful in question or answer: refusals, placeholders, loops, echoes, cut answers, another language.

Each row gets marks while it is read, when nobody knows yet whether the file's answers are labels, JSON or prose;
`remarks_of` then says which marks count. A label is short, repeats and may well be called `none` or `refused`; what
would
be a fault of prose is none of a label's. Marked rows stay in use: these are hints for a person, and each detector is
written to keep silent on clean sets rather than to find everything (`tests/bench/bench_data.py` has both rates).
"""

import re
from collections.abc import Callable, Sequence
from enum import IntFlag
from itertools import groupby

from app.chat import Record
from app.datasets.checks import remark_words
from app.datasets.checks.compared_text import letters
from app.datasets.checks.report_parts import Remark
from app.datasets.reading.faults import Level
from app.datasets.thresholds import RARE_LABEL


class Mark(IntFlag):
    """What was noticed in one row."""

    REFUSAL = 1  # the answer declines to answer
    PLACEHOLDER = 2  # something was to be filled in and was not
    REPEAT = 4  # a text runs in a loop
    ECHO = 8  # the answer is the question again
    LANGUAGE = 16  # the answer is in another language than the question
    CUT = 64  # the answer stops in the middle of a sentence
    DATED = 128  # the answer speaks of the last update of the model that wrote it
    BARE_PLACEHOLDER = 32  # the whole answer is a word such as `none`, which a label may be


_DECLINED = "help|assist|answer|discuss|provide|fulfil|comply|engage|create|generate|access|do"
_ADVICE = r"(?:provide|give|offer|share) (?:\w+ ){0,3}(?:instructions|advice|information|guidance|details)\b"
_REFUSAL = re.compile(
    r"(?:i(?:['\u2019]m| am) (?:very |really |so |truly )?sorry,? (?:but |however,? )?(?:i |as an ai|this request)"
    r"|sorry,? (?:but )?i(?: can(?:no|['\u2019])t|(?: am|['\u2019]m) (?:not able|unable))"
    r"|(?:i apologi[sz]e|my apologies),? but i"
    r"|i(?:['\u2019]m| am) afraid (?:that )?i(?:['\u2019]m not| can(?:no|['\u2019])t| am (?:not able|unable))"
    r"|as an? (?:responsible |ethical |helpful )?(?:ai|artificial intelligence|(?:large )?language model)\b"
    r"(?! (?:is|research|engineer|scientist|develop|student|expert|tool|company))"
    r"|i(?:['\u2019]m| am) (?:just |only )?an? (?:ai|artificial intelligence|language model)\b"
    rf"|i(?:['\u2019]m| am) (?:unable|not able|not allowed|not programmed) to (?:{_DECLINED}|{_ADVICE})"
    r"|i (?:(?:must|have to|will have to) )(?:respectfully |politely )?(?:decline|refuse)\b"
    r"|i (?:do not|don['\u2019]t) have (?:the (?:ability|capability) to"
    r"|access to (?:real|the internet|external|current|live|personal|your))"
    rf"|i (?:can(?:no|['\u2019])t|won['\u2019]t|will not|(?:won['\u2019]t|will not) be able to) (?:{_DECLINED}) "
    r"(?:you )?(?:with )?(?:that|this|your|such|the request|any)"
    rf"|i (?:can(?:no|['\u2019])t|won['\u2019]t|will not) (?:comply\b|{_ADVICE})"
    r"|that(?:['\u2019]s| is) not something i (?:can|am able)"
    r"|(?:this|that|your) request (?:goes against|violates) my (?:guidelines|polic|programming|principles)"
    r"|i(?:['\u2019]m| am) not comfortable (?:with (?:this|that) request|helping|assisting|answering)"
    r"|i (?:do not|don['\u2019]t) feel comfortable (?:with (?:this|that) request|helping|assisting|answering)"
    r"|i(?:['\u2019]d| would) rather not answer (?:that|this)"
    r"|als (?:ki|k\u00fcnstliche intelligenz|(?:ki-)?sprachmodell)\b"
    r"|en tant qu(?:['\u2019]|e )(?:ia\b|intelligence artificielle|(?:un )?(?:grand )?mod\u00e8le de lang)"
    r"|como (?:una? |um )?(?:ia\b|inteligencia artificial|intelig\u00eancia artificial|model\w de leng|modelo de ling)"
    r"|in quanto (?:ia\b|intelligenza artificiale|modello)|come (?:ia\b|modello linguistico)"
    r"|als (?:een )?(?:ai|taalmodel)\b"
    r"|ai(?:\u8a00\u8a9e\u30e2\u30c7\u30eb)?\u3068\u3057\u3066"
    r"|\u4f5c\u4e3a(?:\u4e00)?\u4e2a?(?:ai|\u4eba\u5de5\u667a\u80fd|(?:\u5927)?\u8bed\u8a00\u6a21\u578b))",
    re.IGNORECASE,
)
# In other languages a refusal is an opening, a `can not`, and what can't be done, all in the answer's first sentence.
_DECLINING = tuple(
    tuple(re.compile(part, re.IGNORECASE) for part in parts)
    for parts in (
        (
            r"(?:es )?tut mir\b.{0,12}leid|leider|entschuldigung|bedaure|ich kann|ich bin (?:leider )?nicht",
            r"\b(?:kann|darf|k\u00f6nnen)\b.*\b(?:nicht|keine?n?)\b|nicht in der lage",
            r"beantworten|helfen|erf\u00fcllen|unterst\u00fctzen|nachkommen|bereitstellen",
        ),
        (
            (
                r"(?:je suis |je )?(?:vraiment )?(?:d\u00e9sol\u00e9e?|regrette|navr\u00e9e?)|malheureusement"
                r"|je ne (?:peux|suis)"
            ),
            r"ne (?:peux|puis|suis) (?:malheureusement )?pas",
            r"aider|r\u00e9pondre|fournir|satisfaire|assister",
        ),
        (
            r"lo siento|lo lamento|lamento|lamentablemente|desafortunadamente|no puedo|disculp[ae]|perd\u00f3n",
            r"no (?:puedo|poder|estoy en condiciones)|no me es posible",
            r"ayudar|responder|proporcionar|cumplir|asistir|facilitar",
        ),
        (
            r"mi dispiace|spiacente|purtroppo|non (?:posso|sono in grado)|mi scuso",
            r"non (?:posso|sono in grado|mi \u00e8 possibile)",
            r"aiutar|rispondere|fornire|soddisfare|assister|farlo",
        ),
        (
            r"desculp[ea]|sinto muito|lamento|lamentavelmente|infelizmente|n\u00e3o (?:posso|consigo)",
            r"n\u00e3o (?:posso|consigo|sou capaz)",
            r"ajudar|responder|fornecer|atender|cumprir|auxiliar",
        ),
        (
            r"het spijt me|sorry|helaas|ik kan",
            r"\bkan\b.*\b(?:niet|geen)\b|\bkan\b.*\b(?:niet|geen)\b",
            r"helpen|beantwoorden|geven|voldoen|assisteren|verstrekken",
        ),
        (
            (
                r"(?:\u5927\u5909)?\u7533\u3057\u8a33|\u3059\u307f\u307e\u305b\u3093"
                r"|\u6b8b\u5ff5\u306a\u304c\u3089|\u6050\u308c\u5165\u308a|\u3054\u3081\u3093"
            ),
            r"\u3067\u304d(?:\u307e\u305b\u3093|\u304b\u306d)|\u3044\u305f\u3057\u304b\u306d",
            r"\u5fdc\u3048|\u7b54\u3048|\u624b\u4f1d\u3044|\u56de\u7b54|\u63d0\u4f9b",
        ),
        (
            (
                r"(?:\u5f88|\u975e\u5e38)?(?:\u5bf9\u4e0d\u8d77|\u62b1\u6b49"
                r"|\u9057\u61be|\u5c0d\u4e0d\u8d77)|\u4e0d\u597d\u610f\u601d"
            ),
            r"\u6211.{0,6}(?:\u65e0\u6cd5|\u4e0d\u80fd|\u7121\u6cd5)",
            r"\u56de\u7b54|\u5e2e\u52a9|\u63d0\u4f9b|\u5b8c\u6210|\u534f\u52a9|\u6ee1\u8db3",
        ),
    )
)
_FIRST_SENTENCE = re.compile(r"[^.!?\n\u3002\uff01\uff1f]{1,160}")
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
    r"|[\[(]to be (?:completed|filled in|added|written|done)[\])]|\binsert (?:text|answer|name) here\b"
    r"|\[[^\[\]\n]{0,30}\b(?:einf\u00fcgen|einsetzen|ausf\u00fcllen)\]"
    r"|\[(?:ins\u00e9rer|insertar|inserire|inserir) [^\[\]\n]{0,40}\]"
    r"|<(?:insert|enter|add|fill in|your|placeholder|todo)[ _][^<>\n]{0,60}>"
    r"|\{\{ ?(?:insert|your|placeholder|todo|answer|response|completion|output)[^{}\n]{0,40}\}\}"
    r"|\b(?:todo|tbd|fixme)\b ?:? ?(?:write|add|fill|answer|complete|replace|insert)"
    r"|(?:answer|response|text|content) (?:goes|to be added|to be written) here"
    r"|\byour (?:answer|text|response) here\b",
    re.IGNORECASE,
)
# A whole answer that only names what should stand there.
_NAMED_ONLY = re.compile(
    r"[\[({<]{1,2} ?(?:answer|response|completion|output|text|content|placeholder) ?[\])}>]{1,2}"
    r"|sample text|coming soon",
    re.IGNORECASE,
)
_LEFT_OPEN_HINTS = (
    "[",
    "<",
    "{",
    "(to be",
    "insert",
    "lorem",
    "todo",
    "tbd",
    "fixme",
    "here",
)  # one of them stands in each

_RUN = 12  # times one letter
_UNENDED = re.compile(
    r"(?:,|(?<![\w'-])(?:the|a|an|and|or|of|from|because|but|than|into|my|your|their|our|its"
    r"|der|die|das|und|oder|le|les|et|des|du|el|los|las|il|gli|het|een))$"
)
_DATED = re.compile(
    r"\b(?:as of|since|up to|until|beyond) my (?:last|latest|most recent|final|knowledge|training)\b"
    r"|\bmy (?:knowledge|training)(?: data)?(?:[ -]cut-?off| (?:only )?(?:goes|extends|ends))\b",
    re.IGNORECASE,
)
_LETTER_RUN = re.compile(rf"([^\W\d_])\1{{{_RUN - 1}}}")
_TIMES = 4  # repeats of a stretch from which on it is a loop
_LOOP_SHARE = 0.4  # of the text's words that the loop has to cover
_LONGEST_STRETCH = 30  # words
_LOOP_WORDS = 12
_FEW_DIFFERENT = 0.55  # a loop leaves few different words; a text with more needs no closer look

ECHO_LENGTH = 20  # characters; a short answer may well stand in its question
ECHO_SIGNS = 6  # characters, up to which punctuation alone may set an echo apart
ECHO_MORE = 1.15  # length of an echo, in lengths of its question

MOST_NAMES = 0.5  # share of capitalised words; in German prose it is a third
_SENTENCE_END = re.compile("[.!?\u061f\u0964](?:\\s|$)|[\u3002\uff01\uff1f]")
_CASED_WORD = re.compile(r"(?<!\w)[^\W\d_]{2,}")
_CAPITAL_WORD = re.compile("(?<!\\w)[A-Z\u00c0-\u00de\u0410-\u042f][^\\W\\d_]+")

CUT_LENGTH = 100  # characters; a shorter answer may be a heading or a part of a line
SIGN_OFF = 60  # characters of a last line that may end with a comma: `Looking forward to seeing you,`

LANGUAGE_LENGTH = 60  # characters of an answer from which on its language is worth a word; shorter ones are names

THE_TASK = 0.3  # share of rows from which on refusing, or another language, is more likely the task than a slip
FIRST_LINES = 50


def marks(record: Record, question: str, language: str, answer_language: str) -> Mark:
    """What is noticed in a row. question: what the user said last; the languages as `languages.of` gives them."""
    marks_found = Mark(0)
    answer = record.target.strip()
    if refuses(answer):
        marks_found |= Mark.REFUSAL
    if answer.casefold() in _BARE:
        marks_found |= Mark.BARE_PLACEHOLDER
        if answer.casefold() in _NEVER_A_LABEL:
            marks_found |= Mark.PLACEHOLDER
    if (
        left_open(answer)
        or _NAMED_ONLY.fullmatch(answer)
        or left_open(question)
        or question.strip().casefold() in _NEVER_A_LABEL
    ):
        marks_found |= Mark.PLACEHOLDER
    if cut(answer):
        marks_found |= Mark.CUT
    if "my " in answer and _DATED.search(answer):
        marks_found |= Mark.DATED
    if loops(answer) or loops(question):
        marks_found |= Mark.REPEAT
    if echoes(question, answer):
        marks_found |= Mark.ECHO
    if language and answer_language and language != answer_language and tells(answer) and _speaks(answer):
        marks_found |= Mark.LANGUAGE
    return marks_found


def tells(answer: str) -> bool:
    """Whether an answer is long enough for its language to be worth a word."""
    return len(answer) >= LANGUAGE_LENGTH


def _speaks(answer: str) -> bool:
    """Whether an answer is made of sentences: lists of names, SQL and code pass for a language that they are not in."""
    if _SENTENCE_END.search(answer) is None:
        return False
    capital = len(_CAPITAL_WORD.findall(answer))
    return capital <= MOST_NAMES * max(1, len(_CASED_WORD.findall(answer)))


def refuses(answer: str) -> bool:
    """Whether an answer begins the way in which models and people decline to answer."""
    start = answer[:200]
    greeting = _GREETING.match(start)
    begin = greeting.end() if greeting else 0
    if len(start) < (12 if start.isascii() else 8):
        return False
    return _REFUSAL.match(start, begin) is not None or any(
        (match := opening.match(start)) and _declines(start[match.start() :], cannot, what)
        for opening, cannot, what in _DECLINING
    )


def _declines(text: str, cannot: re.Pattern[str], what: re.Pattern[str]) -> bool:
    sentence = _FIRST_SENTENCE.match(text)
    return sentence is not None and all(part.search(sentence[0]) for part in (cannot, what))


def left_open(text: str) -> bool:
    """Whether the text holds something that was to be filled in."""
    lower = text.casefold()
    return any(hint in lower for hint in _LEFT_OPEN_HINTS) and _LEFT_OPEN.search(text) is not None


def cut(answer: str) -> bool:
    """Whether an answer of some length ends with a word, or a comma, after which more has to come."""
    if len(answer) < CUT_LENGTH or _UNENDED.search(answer, len(answer) - 10) is None:
        return False
    return not answer.endswith(",") or len(answer) - answer.rfind("\n") > SIGN_OFF


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
        same = (word == other for word, other in zip(words, words[period:], strict=False))
        longest = max((sum(1 for _ in run) for equal, run in groupby(same) if equal), default=0)
        if longest >= (_TIMES - 1) * period and longest + period >= enough:
            return True
    return False


def echoes(question: str, answer: str) -> bool:
    """Whether the answer is the question, or little more."""
    question = question.strip()
    if question.casefold() == answer.casefold():
        return True
    if len(question) >= ECHO_LENGTH and abs(len(question) - len(answer)) < ECHO_SIGNS:
        return letters(question) == letters(answer) != ""
    if len(question) < ECHO_LENGTH or not ECHO_LENGTH <= len(answer) <= ECHO_MORE * len(question) + 10:
        return False
    plain_question, plain_answer = " ".join(question.casefold().split()), " ".join(answer.casefold().split())
    return plain_question in plain_answer


KINDS = {
    Mark.REFUSAL: "refusal",
    Mark.PLACEHOLDER: "placeholder",
    Mark.REPEAT: "repeat",
    Mark.ECHO: "echo",
    Mark.CUT: "cut",
    Mark.DATED: "dated",
    Mark.LANGUAGE: "other_language",
}


def remarks_of(
    flags: Sequence[int], task: str, line_of: Callable[[int], int], answer_rows: Callable[[int], int]
) -> tuple[list[Remark], bytearray]:
    """What the report says about each kind; and for each row the marks that count.

    flags: the marks of every row. task: labels, json or text. line_of: the line of the row at a position.
    answer_rows: how many rows have the same answer as the row at a position.
    """
    counting = bytearray(len(flags))
    for index, flag in enumerate(flags):
        if flag:
            counting[index] = _counting(Mark(flag), task, index, answer_rows) & ~Mark.BARE_PLACEHOLDER
    total = max(1, len(counting))
    remarks = []
    for mark, kind in KINDS.items():
        rows = [index for index, row_marks in enumerate(counting) if row_marks & mark.value]
        if not rows:
            continue
        share = len(rows) / total
        task_like = share >= THE_TASK and mark in (Mark.REFUSAL | Mark.LANGUAGE)
        text = remark_words.of_file(kind, len(rows), share, the_task=task_like)
        level: Level = "note" if task_like or mark is Mark.LANGUAGE else "warning"
        lines = tuple(line_of(index) for index in rows[:FIRST_LINES])
        remarks.append(Remark(kind, len(rows), lines, text, level))
    return remarks, counting


_OF_PROSE = Mark.REFUSAL | Mark.LANGUAGE | Mark.CUT | Mark.DATED


def _counting(mark: Mark, task: str, index: int, answer_rows: Callable[[int], int]) -> Mark:
    if task == "labels":
        if Mark.BARE_PLACEHOLDER in mark and answer_rows(index) < RARE_LABEL:
            mark |= Mark.PLACEHOLDER
        return mark & ~_OF_PROSE
    if Mark.BARE_PLACEHOLDER in mark:
        mark |= Mark.PLACEHOLDER
    if task == "json":
        mark &= ~_OF_PROSE
    return mark
