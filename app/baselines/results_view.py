"""The results of a measurement as its page shows them: the headline, and one line a variant with a small chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, TypedDict

from app import glossary
from app.advice.facts import BEYOND
from app.baselines import arms, race, standing, views
from app.baselines.arms import ArmResult
from app.baselines.comparisons import Change, Comparison
from app.baselines.offers import key_of
from app.baselines.tables import ArmRow, BaselineRow
from app.evaluation.statistics import Difference
from app.web import charts
from app.web.protocols import CallPrice
from app.wording import interval_text, percent, plural, target_text

TONES: Mapping[str, str] = {
    **dict.fromkeys(arms.FREE, "soft"),
    **dict.fromkeys(BEYOND, "open"),
    "adapter": "tune",
}
# Headings of the table, in their order; the first one has none of its own where it is the only one.
PROMPTS, DROPPED, REACHABLE, FREE = "Prompts", "Dropped from the race", "What could be reached", "No LLM"
OUTDATED = "Outdated index or documents"
ORDER = (PROMPTS, REACHABLE, DROPPED, OUTDATED, FREE)
CALLS = 1000  # that the money of a line is for
CHEAPER = 0.9  # share of the best prompt's tokens up to which another one is called cheaper


@dataclass(frozen=True, slots=True)
class Cell:
    """A score of a line on one split, from 0 to 1: with its 95 % interval, or, for samples that are shown together,
    their mean with the lowest and the highest of them. dots, start, end: places in percent of the width.

    of: whose score it is, where that is not the whole line. unknown: why there is no score that may be used.
    """

    score: float
    low: float
    high: float
    dots: tuple[float, ...]
    start: float
    end: float
    url: str
    of: str = ""
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One arm of a line that shows several."""

    label: str
    url: str
    result: ArmResult | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: an arm, or several draws of random examples together.

    gain: over zero-shot on the dev rows; its interval only for a single arm. change: what it fixed and broke;
    change_arm: whose change that is; common: rows that both answered, where they are not all. tokens: mean of a prompt,
    tokens_out of an answer; None where no model is asked or nobody knows. dropped: after how many rows it was asked no
    more, and why. ran_on: another model than the run's. cost: of a thousand calls, None where the model has no price.
    outdated: why its result does not count any more.
    """

    label: str
    help: str
    tone: str
    url: str
    members: tuple[Member, ...]
    dev: Cell | None
    test: Cell | None
    gain: Difference | None
    gain_has_interval: bool
    change: Change | None
    change_arm: ArmRow | None
    tokens: float | None
    tokens_counted: bool
    pace: float | None
    errors: int
    leading: bool
    mostly_cut: bool
    group: str = PROMPTS
    dropped: str = ""
    dropped_why: str = ""
    ran_on: str = ""
    common: int | None = None
    cost: float | None = None
    outdated: str = ""
    tokens_out: float | None = None

    @property
    def place(self) -> int:
        """Of its heading."""
        return ORDER.index(self.group)

    @property
    def latency(self) -> str:
        """Seconds from one answer to the next, in milliseconds below one; empty where nobody knows."""
        if not self.pace:
            return ""
        return f"{1000 * self.pace:,.0f} ms" if self.pace < 1 else f"{self.pace:,.1f} s"


class Table(TypedDict):
    """What `baselines/_table.html` draws. urls: of the arms' pages. saved: calls that the race saved."""

    id: int
    lines: Sequence[Line]
    caption: str
    currency: str
    prices_of_run: bool
    saved: int
    target: float | None
    urls: Mapping[int, str]
    metric: str


def lines(
    baseline: BaselineRow,
    leading: ArmRow | None,
    compared: Mapping[int, Comparison],
    url: Mapping[int, str],
    prices: Mapping[int, CallPrice] | None = None,
) -> list[Line]:
    """The table, the best dev score first under each heading; what has no result yet keeps its place below.

    prices: of calls of the models, by their id.
    """
    together: dict[tuple[str, bool], list[ArmRow]] = {}
    for arm in baseline.arms:
        together.setdefault((key_of(arm.name), arm.dropped is not None), []).append(arm)
    table = [_line(baseline, group, leading, compared, url, prices or {}) for group in together.values()]
    return sorted(table, key=lambda line: (line.place, -_rank(line)))


def _heading(arm: ArmRow) -> str:
    if arm.outdated:
        return OUTDATED
    if arm.family in arms.FREE:
        return FREE
    if arm.family in BEYOND:
        return REACHABLE
    return DROPPED if arm.dropped else PROMPTS


def _dropped(baseline: BaselineRow, arm: ArmRow) -> tuple[str, str]:
    """After how many rows an arm was dropped, and against whom, with what both had scored by then."""
    if not (lost := arm.dropped):
        return "", ""
    why = (
        f"{race.leader_of(baseline, lost)} scored {percent(lost.leader_score)} on the same rows, this one "
        f"{percent(lost.score)} (e-value {lost.e:,.0f}, needed {lost.limit:,.0f})."
    )
    return f"dropped after {lost.after:,} of {lost.of:,} dev rows", why


def _cost(arm: ArmRow, result: ArmResult | None, prices: Mapping[int, CallPrice], own: int) -> float | None:
    """Money for `CALLS` calls like these."""
    price = prices.get(int(arm.settings.get("model_id", own)))
    if price is None or result is None or not result.tokens_in:
        return None
    return CALLS * (result.tokens_in * price.input + result.tokens_out * price.output) / 1e6


def _rank(line: Line) -> float:
    cell = line.dev or line.test
    return cell.score if cell and not cell.unknown else -1.0


def _line(
    baseline: BaselineRow,
    group: Sequence[ArmRow],
    leading: ArmRow | None,
    compared: Mapping[int, Comparison],
    url: Mapping[int, str],
    prices: Mapping[int, CallPrice],
) -> Line:
    measured = [arm for arm in group if arm.dev and arm.dev.known]
    first = max(measured, key=lambda arm: arm.dev.score if arm.dev else 0.0, default=group[0])
    if leading is not None and leading in group:
        first = leading
    results = [result for arm in group for result in (arm.dev, arm.test) if result]
    seen = [arm.dev or arm.test for arm in group]
    known = [result for result in seen if result and result.tokens_in]
    paces = [result.pace for result in seen if result and result.pace]
    comparison = compared.get(first.id, Comparison())
    dropped, why = _dropped(baseline, first)
    return Line(
        label=first.label if len(group) == 1 else _together(first),
        help=glossary.term(f"variant.{first.family}").help,
        tone=TONES.get(first.family, "prompt"),
        url=url.get(first.id, ""),
        members=tuple(Member(arm.label, url.get(arm.id, ""), arm.dev) for arm in group) if len(group) > 1 else (),
        dev=_cell(group, "dev", url),
        test=_cell(group, "test", url),
        gain=comparison.gain if len(group) == 1 else _mean_gain([compared.get(arm.id) for arm in group]),
        gain_has_interval=bool(len(group) == 1 and comparison.gain and comparison.gain.high > comparison.gain.low),
        change=comparison.change,
        change_arm=first if comparison.change else None,
        tokens=fmean(result.tokens_in for result in known) if known else None,
        tokens_counted=all(result.counted for result in known),
        pace=fmean(paces) if paces else None,
        errors=sum(result.errors for result in results),
        leading=leading is not None and leading in group,
        mostly_cut=any(not result.fair for result in results),
        group=_heading(first),
        dropped=dropped,
        dropped_why=why,
        ran_on=first.settings["model_as"]["name"] if "model_as" in first.settings else "",
        common=comparison.common if len(group) == 1 else None,
        cost=_cost(first, first.dev or first.test, prices, baseline.model_id),
        outdated=outdated(first),
        tokens_out=fmean(result.tokens_out for result in known) if known else None,
    )


def outdated(arm: ArmRow) -> str:
    """Why the result of an arm with passages does not count any more; empty where it does."""
    if not arm.outdated:
        return ""
    if arm.settings["passages"]["way"] == "all":
        return "measured on documents that have changed since: measure again"
    return "measured on an index that is no longer current: measure again"


def _together(first: ArmRow) -> str:
    """What several draws of random examples are called together."""
    examples = first.settings.get("k")
    return f"Few-shot, {examples} random" if examples else glossary.label("variant.few_shot_random")


def _mean_gain(compared: Sequence[Comparison | None]) -> Difference | None:
    gains = [each.gain.delta for each in compared if each and each.gain]
    if not gains or len(gains) < len(compared):
        return None
    mean = fmean(gains)
    return Difference(mean, mean, mean)


def _cell(group: Sequence[ArmRow], split: Literal["dev", "test"], url: Mapping[int, str]) -> Cell | None:
    pairs = [(arm, arm.dev if split == "dev" else arm.test) for arm in group]
    there = [(arm, result) for arm, result in pairs if result is not None]
    if not there:
        return None
    known = [(arm, result) for arm, result in there if result.known]
    address = f"{url.get(there[0][0].id, '')}?split={split}"
    if not known:
        rate = max(result.error_rate for _, result in there)
        return Cell(0, 0, 0, (), 0, 0, address, unknown=f"{percent(rate, 0)} of its rows had errors")
    if len(known) == 1:
        arm, result = known[0]
        of = arm.label.rpartition("(")[2].rstrip(")") if len(group) > 1 else ""
        address = f"{url.get(arm.id, '')}?split={split}"
        dots = (_at(result.score),)
        return Cell(result.score, result.low, result.high, dots, _at(result.low), _at(result.high), address, of=of)
    scores = [result.score for _, result in known]
    low, high = min(scores), max(scores)
    of = plural(len(known), "sample")
    return Cell(fmean(scores), low, high, tuple(map(_at, scores)), _at(low), _at(high), address, of=of)


def _at(share: float) -> float:
    return round(100 * min(max(share, 0.0), 1.0), 2)


@dataclass(frozen=True, slots=True)
class Headline:
    """What a measurement came to. tone: a class of `.answer`. why: further sentences, the weightiest first.
    again: it says little, so running again comes first."""

    tone: str
    title: str
    why: tuple[str, ...]
    again: bool = False


def headline(baseline: BaselineRow, best: ArmRow | None, lead: views.FreeLead | None) -> Headline:
    """The first sentence of the page: that something without a model is ahead, else the best prompt and the target."""
    sentences = [_against_target(baseline, best)]
    tone = "info"
    if best is not None and best.test is not None and not best.test.fair:
        cut = f"{best.test.cut or 0:,} of {plural(best.test.n, 'test answer')}"
        unfair = f"{cut} of the best prompt were cut at {plural(baseline.max_tokens, 'token')}: no fair try yet."
        more = "Run the baselines again with more output tokens, or ask for shorter answers."
        return Headline("open", unfair, (more, *([lead.head] if lead else []), *sentences), again=True)
    if best is not None and best.test is not None:
        if baseline.target is not None and best.test.score >= baseline.target:
            tone = "good"
            sentences += _not_sure(best.test, baseline.target)
        sentences += _cheaper(baseline, best)
    else:
        tone = "open"
    if lead is not None:
        return Headline("open", lead.head, (lead.text, *sentences))
    return Headline(tone, sentences[0], tuple(sentences[1:]))


def _not_sure(result: ArmResult, target: float) -> list[str]:
    """That so few rows do not rule out less than the target, where they do not."""
    if result.low >= target:
        return []
    return [f"The target lies inside the interval: {plural(result.n, 'test row')} do not rule out less."]


def _against_target(baseline: BaselineRow, best: ArmRow | None) -> str:
    if best is None or best.test is None:
        first = standing.leading(baseline)
        if first is None or first.dev is None:
            return "No result yet."
        return f"No test result yet. On the dev set {first.label} leads with {percent(first.dev.score)}."
    result, target = best.test, baseline.target
    reached = f"Best prompt {percent(result.score)} ({interval_text(result.low, result.high)})"
    if target is None:
        return f"{reached}; no target is set."
    if result.score >= target:
        return f"{reached} meets the target of {target_text(target)}."
    short = 100 * (target - result.score)
    gap = plural(round(short), "point") if short >= 1 else f"{short:.1f} points"
    between = "; the target lies inside the interval" if target <= result.high else ""
    return f"{reached}, target {target_text(target)}: short by {gap}{between}."


def _cheaper(baseline: BaselineRow, best: ArmRow) -> list[str]:
    """A prompt that is much shorter than the best one and did no worse on the same test rows."""
    if best.test is None or not best.test.tokens_in:
        return []
    cheap = [
        (arm, arm.test)
        for arm in baseline.arms
        if arm.id != best.id
        and not arm.outdated
        and arm.family not in (*arms.FREE, *BEYOND, "adapter")
        and arm.test is not None
        and arm.test.known
        and arm.test.score >= best.test.score
        and 0 < arm.test.tokens_in <= CHEAPER * best.test.tokens_in
    ]
    if not cheap:
        return []
    arm, result = min(cheap, key=lambda pair: pair[1].tokens_in)
    tokens = f"{result.tokens_in:,.0f} prompt tokens instead of {best.test.tokens_in:,.0f}"
    return [f"{arm.label} scores {percent(result.score)} on the same test rows with {tokens}."]


def caption(table: Sequence[Line], baseline: BaselineRow) -> str:
    """What the table shows, in a sentence."""
    first = next((line for line in table if line.leading and line.dev), None)
    if first is None or first.dev is None:
        return "No prompt has a result on the dev set yet."
    ahead, plain = "", standing.zero_shot(baseline)
    if first.gain is not None and plain is not None and plain.dev is not None and plain.dev.fair and not plain.dropped:
        points = charts.share_text(first.gain.delta, difference=True)
        ahead = f", {points} points against zero-shot"
    target = f"; dashed: target {target_text(baseline.target)}" if baseline.target is not None else ""
    return f"{first.label} leads on dev with {percent(first.dev.score)}{ahead}{target}."
