"""What the pages of prompts and of the optimizer say, from rows that were read already. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.baselines.arms import ArmResult
from app.baselines.tables import VersionRow
from app.evaluation import selection
from app.instructions import difference
from app.instructions.budget import ENDINGS
from app.instructions.difference import Difference
from app.instructions.rounds import concluded
from app.instructions.service import Use
from app.instructions.tables import CandidateRow, Conclusion, OptimisationRow
from app.wording import percent, plural

# What a candidate came to, as a word and the tone of its mark.
STATES: Mapping[str, tuple[str, str]] = {
    "first": ("first prompt", "soft"),
    "drafted": ("being tried", "info"),
    "scoring": ("being scored", "info"),
    "scored": ("scored", "pass"),
    "behind": ("dropped", "soft"),
    "refused": ("refused", "fail"),
    "interrupted": ("not scored", "unknown"),
}


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version in the list. before: number of the version that it was made from. best: of the dev results of those
    that used it."""

    row: VersionRow
    before: int | None
    uses: Sequence[Use]
    best: ArmResult | None

    @property
    def compared_with(self) -> int | None:
        """Number of the version that its text is compared with: the one it was made from, else the one before it."""
        return self.before or (self.row.number - 1 or None)

    @property
    def opening(self) -> str:
        """Its first line."""
        return self.row.text.splitlines()[0][:160]


def version_lines(rows: Sequence[VersionRow], used: Mapping[str, list[Use]]) -> list[VersionLine]:
    """The list of versions, in the order given."""
    numbers = {row.id: row.number for row in rows}
    lines = []
    for row in rows:
        uses = used.get(row.text_sha256, [])
        results = [use.arm.dev for use in uses if use.arm.dev is not None and use.arm.dev.known]
        best = max(results, key=lambda result: result.score, default=None)
        lines.append(VersionLine(row, numbers.get(row.from_id or 0), uses, best))
    return lines


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """One prompt of a run. word, tone: its state; why: in a sentence; change: to the prompt that it was made from."""

    row: CandidateRow
    name: str
    word: str
    tone: str
    why: str
    change: Difference | None


def candidate_lines(run: OptimisationRow) -> list[CandidateLine]:
    """The prompts of a run, the newest first."""
    texts = {row.number: row.text for row in run.candidates if row.state != "refused"}
    winner = concluded(run.candidates).get("winner", 0)
    lines = []
    for row in reversed(run.candidates):
        word, tone = STATES[row.state]
        if row.number and row.number == winner:
            word, tone = "best", "pass"
        parent = texts.get(row.parent) if row.parent is not None else None
        readable = row.state != "refused" and parent is not None
        change = difference.between(parent or "", row.text) if readable else None
        lines.append(CandidateLine(row, name_of(row.number), word, tone, _why(row), change))
    return lines


def name_of(number: int) -> str:
    """What to call a candidate."""
    return f"Draft {number}" if number else "First prompt"


def _why(row: CandidateRow) -> str:
    if row.reason:
        return row.reason
    if row.batch_rows and row.batch_before is not None and row.batch_after is not None:
        scores = f"{row.batch_after:g} on {plural(row.batch_rows, 'train row')}, its parent {row.batch_before:g}"
        return f"{'No better: s' if row.state == 'behind' else 'S'}cored {scores}."
    return ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to so far. title: a sentence; why: more of them; tone: of its box."""

    title: str
    why: tuple[str, ...]
    tone: str


def outcome(run: OptimisationRow, *, running: bool, failure: str = "", cancelled: bool = False) -> Outcome:
    """The answer of a run's page. failure: the sentence of a job that failed."""
    result = run.result or concluded(run.candidates)
    if not result.get("scored"):
        title = "The first prompt is being scored." if running else "Nothing was scored."
        return Outcome(title, (failure,) if failure else (), "bad" if failure else "info" if running else "soft")
    gain, scored = result["gain"], result["scored"]
    title, tone = _title(result, gain, running=running)
    why = [_of_how_many(result)] if result["drafts"] else []
    if scored > 1:
        why.append(luck(result))
    if run.ending:
        why.append(ENDINGS[run.ending])
    elif failure or cancelled:
        why = [*([failure] if failure else []), title, *why]
        title = f"The run {'failed' if failure else 'was cancelled'}; what it found is kept."
        tone = "bad" if failure else "open"
    if against := result.get("not_measured"):
        why.append(f"It was not measured as a variant. {against}")
    return Outcome(title, tuple(why), "info" if running else tone)


def _title(result: Conclusion, gain: float, *, running: bool) -> tuple[str, str]:
    """The result in a sentence, and its tone."""
    if gain <= 0:
        first = percent(result["first"])
        so_far = " yet" if running else ""
        if not result["drafts"]:
            return f"No draft{so_far}; the first prompt scores {first} on the dev set.", "soft"
        return f"No draft is better{so_far} than the first prompt, which scores {first} on the dev set.", "soft"
    rows = plural(result["rows"], "dev row")
    scores = f"{percent(result['best'])} instead of {percent(result['first'])}"
    title = f"{name_of(result['winner'])} scores {100 * gain:.1f} points higher on {rows}: {scores}."
    return title, "good" if gain > result["luck"] else "open"


def _of_how_many(result: Conclusion) -> str:
    drafts, refused, scored = result["drafts"], result["refused"], result["scored"]
    left = [f"{refused:,} refused"] if refused else []
    left += [f"{result['behind']:,} no better on the train rows that were tried"] if result["behind"] else []
    rest = f" ({', '.join(left)})" if left else ""
    kept = f"{plural(scored, 'prompt was', 'prompts were')} scored on the dev set, the first one among them."
    if scored == 1:
        kept = "only the first prompt was scored on the dev set."
    hint = " Another critic may write more that can be used." if refused * 2 >= drafts else ""
    return f"{plural(drafts, 'draft')}{rest}; {kept}{hint}"


def luck(result: Conclusion) -> str:
    """The gain that luck alone gives, beside the gain."""
    scored, gain, floor = result["scored"], result["gain"], result["luck"]
    by_luck = selection.words(scored, floor)
    if gain <= 0:
        return f"{by_luck}."
    if gain <= floor:
        return f"{by_luck}: this gain is no more than that. The test set decides."
    return f"{by_luck}. The test set decides."


def used(run: OptimisationRow) -> str:
    """What a run has used besides time, in a line."""
    spent, budget = run.spent, run.budget
    parts = [f"{spent.all_calls:,} of {plural(budget.calls, 'call')}", plural(spent.tokens, "token")]
    if spent.judge_calls:
        parts.append(f"{plural(spent.judge_calls, 'call')} of the LLM judge")
    if budget.priced:
        parts.append(f"{spent.money(budget):.2f} at the prices given")
    return ", ".join(parts)
