"""What a check says of a row or of the file, by code, in words. What reading says is in `reading/fault_words`."""

from collections.abc import Mapping, Sequence

from app.datasets.checks.report import TOO_FEW
from app.datasets.splits import draw
from app.datasets.thresholds import RARE_LABEL
from app.wording import Template, Wording, inflect, percent, plural, upper_first

_SIDES = "question and answer seem to stand on the wrong sides"


def _lines(lines: Sequence[int], *, more: bool) -> str:
    return f"line {', '.join(map(str, lines))}" + (" and more" if more else "")


def _of_a_text(where: str, what: str) -> str:
    return f"{upper_first(where)} {what}."


def _leaking(exact: int, near: int) -> str:
    """How many test rows stand in the upload, those that stand there word for word apart from those that nearly do."""
    parts = []
    if exact:
        rows = plural(exact, "row of the test file", "rows of the test file")
        parts.append(f"{rows} {inflect(exact, 'stands', 'stand')} in the upload too")
    if near:
        whose = "" if exact else " of the test file"
        parts.append(f"{plural(near, 'row')}{whose} {inflect(near, 'is', 'are')} nearly asked there, or in part")
    return f"{', and '.join(parts)}; test rows are not used for training."


def _rare_labels(labels: int, names: Sequence[str], *, more: bool) -> str:
    listed = ", ".join(map(repr, names)) + (" and others" if more else "")
    some = plural(labels, "label has", "labels have")
    return f"{some} fewer than {RARE_LABEL} rows, too few to test: {listed}."


def _contradicting(rows: int) -> str:
    rows_ask, are = plural(rows, "row asks", "rows ask"), inflect(rows, "is", "are")
    return f"{rows_ask} what another row asks but {are} answered differently; none is used."


def _cut(over: int, of: int, limit: int, unit: str) -> str:
    some = "Every row is" if over == of else f"{over:,} of {of:,} rows are"
    return f"{some} longer than {limit:,} {unit} and would be cut: what is cut is neither trained on nor scored."


def _too_few(usable: int, needed: int) -> str:
    return f"{plural(usable, 'usable example')} besides the test rows; training needs {needed:,}. {TOO_FEW}"


SENTENCES: Mapping[str, Template] = {
    # a row
    "long": "The record is {size:,} characters long; over {most:,} it would be cut, so it is left out.",
    "control": lambda where: _of_a_text(where, "holds control characters"),
    "wrong_encoding": lambda where: _of_a_text(
        where, "was read in a wrong encoding once: it holds two signs for one letter"
    ),
    "lost_letter": lambda where: _of_a_text(where, "holds the sign of a letter that was lost (U+FFFD)"),
    "chat_template": lambda where: _of_a_text(
        where, "holds control tokens of a chat template, which would end or start a turn in training"
    ),
    "formula": lambda where: _of_a_text(where, "begins like a spreadsheet formula; it is kept as text here"),
    "private": lambda where, kinds: _of_a_text(where, f"seems to hold personal data or a secret ({', '.join(kinds)})"),
    "left_out": "Holds personal data or a secret; left out.",
    "slip": "The answer {label!r} may be a slip: {rows:#row has|rows have} {meant!r}.",
    # the file
    "invisible": lambda lines, more: (
        f"Signs that a reader cannot see, or that turn the writing direction, stand in {_lines(lines, more=more)}."
    ),
    "markup": lambda lines, more: (
        f"Answers hold HTML such as &amp; or <br>, which a model learns to write, in {_lines(lines, more=more)}."
    ),
    "one_record": "There is one record only; it cannot be split into rows to learn from and rows to test.",
    "one_question": "All {rows:,} records ask the same.",
    "no_record": "No record could be read.",
    "no_test_row": "The test file has no usable row.",
    "leaking": _leaking,
    "one_answer": "Every row has the same answer; there is nothing to learn.",
    "lopsided": lambda rows, total, label: (
        f"{rows:,} of {total:,} answers are {label!r}; the majority class alone would score {percent(rows / total, 0)}."
    ),
    "rare_labels": _rare_labels,
    "contradicting": _contradicting,
    # what the verdict says first
    "unread": "{unread:,} of {rows:,} rows could not be read.",
    "repeats": "{repeats:,} of {rows:,} rows repeat another one: here are far fewer examples than rows.",
    "few_answers": "There are only {answers:,} different answers in {rows:,} rows, and they are no short labels: a "
    "model learns to pick one of them. Is that the task?",
    "too_few": _too_few,
    "cut": _cut,
    "asked_as_answers": f"In {{rows:,}} rows the question is what others answer: {_SIDES}.",
    "asked_again": "{questions:#question is|questions are} asked again and again and answered each time in another "
    f"way: {_SIDES}.",
    "marks_in_answers": "Of the rows with a question mark on one side, {share} % have it at the end of the answer: "
    "perhaps question and answer stand on the wrong sides in a part of the file.",
}
sentence = Wording(SENTENCES)


def why_not_split(usable: int, groups: int, units: int, *, own_test: bool) -> str:
    """Why so many usable rows don't make every part. groups: that the file names; units: what stays together."""
    parts = "train and dev" if own_test else "train, dev and test"
    least = draw.LEAST_GROUPS - own_test
    if groups and units < least:
        return (
            f"The group column puts all {usable:,} usable rows into {plural(units, 'group')}, and"
            f" rows of one group stay together: {parts} need at least {least}. Name another column, or none."
        )
    return f"{plural(usable, 'usable row')} can't be shared out to {parts}; upload at least 4 different ones."


def why_refused(whole_file: Sequence[str], why_not: str) -> str:
    """The sentence behind a refusal. whole_file: the faults of the whole file, which come first."""
    return next(iter(whole_file), why_not or "No row is left that can be used.")
