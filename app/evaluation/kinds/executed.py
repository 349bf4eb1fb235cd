"""Answers that are run to be scored, in a child process: SQL on an uploaded database, and a team's own scorer.

Here is what these metrics are called and what they ask for; `scoring` runs them.
"""

import re
from collections.abc import Callable, Iterator

from app.evaluation import structure
from app.evaluation.kinds.metric import Fault, Kept, Metric, Option, Options, run_elsewhere, text_of, trimmed

_SHA256 = re.compile(r"[0-9a-f]{64}")
_STATEMENT = re.compile(r"\b(?:select|with|values)\b", re.IGNORECASE)


def statement(text: str, *, fence: bool) -> str:
    """The statement in an answer: without a code fence where that is allowed, without the semicolon at its end.

    fence: the one fence of an answer is read, with or without words around it.
    """
    text = text.replace("\r\n", "\n").strip()
    if fence:
        fences = list(structure.FENCE.finditer(text))
        if len(fences) == 1 and _STATEMENT.search(fences[0]["inside"]):
            text = fences[0]["inside"].strip()
    return text.rstrip("; \n\t")


def _statement_view(text: str, options: Options) -> str:
    return statement(text, fence=bool(options.get("fence")))


def _hash_faults(name: str, nothing: str) -> Callable[[Kept], Iterator[Fault]]:
    def faults(kept: Kept) -> Iterator[Fault]:
        if name in kept and not _SHA256.fullmatch(text_of(kept, name)):
            yield name, nothing

    return faults


METRICS = (
    Metric(
        name="sql_result",
        binary=True,
        score=run_elsewhere,
        view=_statement_view,
        faults=_hash_faults("database", "Choose one of the uploaded databases."),
        executed=True,
        options=(
            Option(
                name="database",
                kind="database",
                title="Database",
                help="An SQLite file that was uploaded for this assessment; its SHA-256 is kept with the result.",
                required=True,
            ),
            Option(
                name="fence",
                kind="flag",
                title="Accept SQL inside a code fence",
                help="Reads the statement between ``` too. Leave it off when the program behind reads the answer as it "
                "is.",
            ),
        ),
    ),
    Metric(
        name="team_scorer",
        binary=False,
        score=run_elsewhere,
        view=trimmed,
        faults=_hash_faults("scorer", "Choose one of the team's scorers."),
        executed=True,
        options=(
            Option(
                name="scorer",
                kind="scorer",
                title="Scorer",
                help="A version that an administrator added and tried; its SHA-256 is kept with the result.",
                required=True,
            ),
        ),
    ),
)
