"""The ways to answer that are tried before anyone may train, and which of them did best.

An arm is chosen on the dev rows and then looked at once on the test rows: picking the best of eight on the rows it
is reported on would flatter it (decision rules, 4.5).
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, pstdev
from typing import ClassVar, Final

from app import glossary
from app.advice.facts import BEYOND, NO_MODEL
from app.baselines import classifier
from app.baselines.arm_settings import ArmSettings, Optimised, only
from app.evaluation import grouped
from app.strict import Frozen

SEEDS = 3  # draws of random examples: their spread shows how much the choice of examples matters
# Above this share of rows without an answer, an arm says nothing about prompting; a policy may set another one, which a
# result then keeps with it.
ERROR_LIMIT = 0.02
MOSTLY_CUT = 0.5  # above this share of answers cut at the limit, an arm was no fair try
CHARACTERS_PER_TOKEN = 4  # for estimates only: English text, common tokenizers
DENSE = 0.7  # of the window: texts may have more tokens than characters by four, and a prompt has marks between turns
SHORT_COUNT = 3.0  # a server that counts so many times fewer tokens than a prompt should have may have cut it off
COMMON_LABEL = 0.05  # the commonest answer is worth an arm of its own when it is at least this common

FREE: tuple[str, ...] = NO_MODEL  # families that ask no language model
# How a measurement is judged, kept with it: what was approved or judged under older rules keeps its digest and result.
RULES = 3
RIVAL_RULES = 2  # from these on an adapter has to beat every prompt within reach, and what asks no model
GROUP_RULES = 3  # from these on rows that belong together are counted as such, and rows needed named with their chance
MARGIN: Final = "not_worse_margin"  # the policy's threshold, and the setting that keeps it with a measurement
RIVALS_MOST = 4  # prompts beside the best one that are asked the test rows too: at most five prompts in all

# Kinds of ways to answer: what `ArmRow.family` may be. Cheap first; an adapter is measured by a training run.
FAMILIES = (
    "trivial",
    "small_classifier",
    "embedding_classifier",
    "label_scoring",
    "zero_shot",
    "few_shot_nearest",
    "few_shot_random",
    "schema",
    "rag",
    "oracle",
    "many_shot",
    "whole_corpus",
    "stronger_model",
    "revised_prompt",
    "optimised_prompt",
    "adapter",
)
EXAMPLES = ("shots", "k", "seed", "by", "embedder", "window")  # the settings that say which examples are shown
PROMPTED = ("zero_shot", "few_shot_random", "few_shot_nearest")  # what a first run may ask a model
NEEDED = (*PROMPTED, "revised_prompt")  # gate G5, in the order to do them
REVISIONS = ("revised_prompt", "optimised_prompt")  # kinds of arms that are a round of revision, whoever wrote it

# What an arm's prompt and answer are made of beside its instructions.
MADE_OF = (*EXAMPLES, "passages", "constraint", "scoring", "labels")


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to answer. settings, each only where it applies:

    shots: random, nearest or many examples, with k, seed and `by` (tfidf, embedding); window: tokens that many of them
    have to fit into, with question and answer. instructions: that differ from
    the run's. passages: {way (lexical, embedding, hybrid, gold, all), k, index, sha256}. constraint: {kind, text,
    sha256}. scoring: labels; labels: {number, sha256}. learns: logistic. model_id, model_as: another model than the
    run's. dtype: of a local model.
    """

    family: str
    name: str
    settings: ArmSettings = field(default_factory=ArmSettings)

    @property
    def title(self) -> str:
        """What it is called today; a measurement keeps what it was called when it was made."""
        return glossary.variant(self.name, self.settings)

    @property
    def free(self) -> bool:
        """No language model is asked."""
        return self.family in FREE


def plan(
    k_random: int, k_nearest: int, seed: int, targets: Sequence[str], families: Collection[str] = PROMPTED
) -> tuple[Arm, ...]:
    """The arms of a first run. `targets` are the training rows' answers; they decide which free arms make sense.

    families: which of `PROMPTED` to ask. What asks no model costs nothing and is always there: leaving it out would
    only hide what an adapter has to beat.
    """
    prompted = [
        Arm("zero_shot", "zero_shot"),
        *(
            Arm("few_shot_random", f"few_shot_random/{draw}", {"shots": "random", "k": k_random, "seed": seed + draw})
            for draw in range(1, SEEDS + 1)
        ),
        Arm("few_shot_nearest", "few_shot_nearest", {"shots": "nearest", "k": k_nearest}),
    ]
    arms = [
        Arm("trivial", "nearest_answer", {"rules": RULES}),
        *(arm for arm in prompted if arm.family in families),
    ]
    if label := majority(targets):
        arms.insert(1, Arm("trivial", "majority_answer", {"label": label}))
    if classifier.labelled(targets):
        arms.insert(1, Arm("small_classifier", "small_classifier", {"by": "tfidf", "learns": "logistic"}))
    return tuple(arms)


def revised(instructions: str, best: Arm, number: int) -> Arm:
    """New instructions with all else of the best arm so far, so that only one thing changes. number: of versions of the
    assessment's instructions before these."""
    return Arm("revised_prompt", f"revised_prompt/{number}", {**_around(best), "instructions": instructions})


def optimised(instructions: str, first: Arm, number: int, how: Optimised) -> Arm:
    """The same, written by an optimizer. how: what a reviewer has to know of its run."""
    settings: ArmSettings = {**_around(first), "instructions": instructions, "optimiser": how}
    return Arm("optimised_prompt", f"optimised_prompt/{number}", settings)


def _around(arm: Arm) -> ArmSettings:
    """What of an arm's prompt is not its instructions."""
    return only(arm.settings, MADE_OF)


def majority(targets: Sequence[str]) -> str | None:
    """The commonest answer, if it is common enough to be a label."""
    if not targets:
        return None
    (answer, times) = Counter(target.strip() for target in targets).most_common(1)[0]
    return answer if answer and times > 1 and times >= COMMON_LABEL * len(targets) else None


def room(window: int, max_tokens: int, instructions: str) -> float:
    """Characters that examples and question may have together, in a window of so many tokens."""
    return (window * DENSE - max_tokens) * CHARACTERS_PER_TOKEN - len(instructions)


def sample(ids: Sequence[int], limit: int, seed: int) -> list[int]:
    """The rows that are asked: all, or `limit` of them in an order that only the seed and the ids decide.

    A longer sample with the same seed holds the shorter one, so raising the limit asks new rows only.
    """
    if limit <= 0 or limit >= len(ids):
        return list(ids)
    order = sorted(ids, key=lambda row: hashlib.sha256(f"{seed}/{row}".encode()).digest())
    chosen = set(order[:limit])
    return [row for row in ids if row in chosen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped(Frozen):
    """That an arm lost the race on the dev rows and was asked no more (`evaluation.racing`).

    after: rows that it and the leader had answered, of all the rows there were; against: the leader's name. score,
    leader_score: means on these rows. e: the e-value that was reached, limit: the one that it takes.
    """

    after: int
    of: int
    against: str
    score: float
    leader_score: float
    e: float
    limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmResult(Frozen):
    """What an arm came to on one split, as its row keeps it and a reviewed subject holds it.

    score: mean over the rows that were answered, 0 to 1, with its 95 % interval. n: those rows; errors: rows without an
    answer. The rest is None where a version before this one did not write it down: cut: answers that hit the length
    limit. passed: right ones, spread: standard deviation of graded ones; never both. near: how like the wanted answer
    these are, where none is right. tokens_from: measured or estimated. mean_seconds: of an answer; pace: from one to
    the next. thought, dressed, saved: see `Scored`. at: when it stood. reported: names that the server gave its model.
    taken: answers that were taken from earlier runs, which no time of this one is measured by.
    dropped: it lost the race and the rest of its rows was not asked; its score is that of those that were. valid:
    answers that keep to the output constraint of the measurement, where it has one. groups: in which the rows come,
    design_effect: by how much that widens the variance of the score (`grouped.Design`); None where each row is alone.
    error_limit: the share of errors from which on it is not judged, where the policy had another one than `ERROR_LIMIT`
    when it stood. judge_passed: answers that a judge passed, where one decides; the score is then as people's labels
    correct it, and `passed` is not said.
    """

    version: ClassVar[int] = 1

    score: float
    low: float = 0.0
    high: float = 0.0
    n: int
    errors: int
    cut: int | None = None
    mean_prompt_tokens: float | None = None
    mean_completion_tokens: float | None = None
    tokens_from: str | None = None
    mean_seconds: float | None = None
    passed: int | None = None
    near: float | None = None
    spread: float | None = None
    thought: int | None = None
    dressed: int | None = None
    saved: Mapping[str, int] | None = None
    at: str | None = None
    pace: float | None = None
    reported: tuple[str, ...] | None = None
    remarks: tuple[str, ...] | None = None
    dropped: Dropped | None = None
    valid: int | None = None
    groups: int | None = None
    design_effect: float | None = None
    error_limit: float | None = None
    taken: int | None = None
    judge_passed: int | None = None

    @property
    def tokens_in(self) -> float:
        """Mean tokens of a prompt; 0 where nobody knows."""
        return self.mean_prompt_tokens or 0.0

    @property
    def tokens_out(self) -> float:
        """Mean tokens of an answer; 0 where nobody knows."""
        return self.mean_completion_tokens or 0.0

    @property
    def counted(self) -> bool:
        """Whether tokens were counted by the model; versions that wrote down no estimates had no others."""
        return self.tokens_from in (None, "measured")

    @property
    def fair(self) -> bool:
        """Whether most answers could end by themselves; an answer that was cut says nothing about its prompt."""
        return (self.cut or 0) <= MOSTLY_CUT * self.n

    @property
    def cut_share(self) -> float:
        """Share of the answers, 0 to 1, that hit the length limit."""
        return (self.cut or 0) / self.n if self.n else 0.0

    @property
    def asked(self) -> int:
        return self.n + self.errors

    @property
    def error_rate(self) -> float:
        return self.errors / self.asked if self.asked else 0.0

    @property
    def known(self) -> bool:
        """Whether the number may be used: an arm with too many errors is unknown, not bad."""
        limit = ERROR_LIMIT if self.error_limit is None else self.error_limit
        return self.n > 0 and self.error_rate <= limit


@dataclass(frozen=True, slots=True)
class Scored:
    """What counts of one answer: score None is an error; cut says that it hit the length limit.

    prompt_tokens: 0 where the model did not say. thought: thinking was taken off. dressed: right only because marks
    around the answer were. saved: the option of the metric that would make it right. near: how like the wanted answer
    it is, from 0 to 1, whatever the metric says. characters: of the answer. taken: from an earlier run.
    """

    score: float | None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    cut: bool = False
    thought: bool = False
    dressed: bool = False
    saved: str = ""
    near: float = 0.0
    characters: int = 0
    taken: bool = False


def tallied(
    answers: Sequence[Scored],
    *,
    binary: bool,
    seed: int,
    prompt_characters: float | None = None,
    groups: Sequence[int] | None = None,
) -> ArmResult:
    """What an arm came to on one split: score with its 95 % interval, counts, means.

    prompt_characters: of a prompt, on average; from it tokens are estimated where the server did not count them, and
    `tokens_from` says so. None: no model was asked. groups: for each answer the number of what its row belongs to.
    """
    scored = [answer for answer in answers if answer.score is not None]
    scores = [answer.score for answer in scored if answer.score is not None]
    codes = [code for answer, code in zip(answers, groups, strict=True) if answer.score is not None] if groups else None
    interval = grouped.mean_interval(scores, binary=binary, seed=seed, groups=codes)
    design = grouped.design(scores, codes) if codes and not grouped.alone(codes) else None
    tokens_in, tokens_out, source = _tokens(scored, prompt_characters)
    passed = round(sum(scores)) if binary else None
    saved = Counter(answer.saved for answer in scored if answer.saved)
    return ArmResult(
        score=_mean(scores),
        low=interval.low,
        high=interval.high,
        n=len(scored),
        errors=len(answers) - len(scored),
        cut=sum(answer.cut for answer in scored),
        mean_prompt_tokens=tokens_in,
        mean_completion_tokens=tokens_out,
        tokens_from=source,
        mean_seconds=_mean([answer.seconds for answer in scored if not answer.taken]),
        passed=passed,
        near=_mean([answer.near for answer in scored]) if binary and scored and not passed else None,
        spread=None if binary else pstdev(scores) if len(scores) > 1 else 0.0,
        thought=sum(answer.thought for answer in scored) or None,
        dressed=sum(answer.dressed for answer in scored) or None,
        saved=dict(saved) or None,
        groups=design.groups if design else None,
        design_effect=round(design.effect, 4) if design else None,
        taken=sum(answer.taken for answer in answers) or None,
    )


def _tokens(scored: Sequence[Scored], prompt_characters: float | None) -> tuple[float, float, str]:
    """Mean tokens of a prompt and of an answer, and whether they were counted or are estimated from characters."""
    counted = [answer for answer in scored if answer.prompt_tokens > 0]
    if counted or prompt_characters is None or not scored:
        prompt = _mean([answer.prompt_tokens for answer in counted])
        return prompt, _mean([answer.completion_tokens for answer in counted]), "measured"
    written = _mean([answer.characters for answer in scored]) / CHARACTERS_PER_TOKEN
    return prompt_characters / CHARACTERS_PER_TOKEN, written, "estimated"


def counted_short(result: ArmResult, prompt_characters: float) -> bool:
    """Whether the server counted far fewer tokens than the prompts should have had: it may have cut them off."""
    short = 0 < result.tokens_in * CHARACTERS_PER_TOKEN * SHORT_COUNT < prompt_characters
    return short and result.tokens_from == "measured"


def pace(moments: Sequence[tuple[int, float, float]]) -> float | None:
    """Seconds from one answer to the next; moments are (attempt, when it came, how long it took), times in seconds.

    Attempts are counted apart, so a pause between a crash and the next attempt is nobody's time. The time an answer
    took itself does not do for a server: several are under way at once. (For a model on this machine it does: there
    every answer's time is its own share.)
    """
    spans, number = 0.0, 0
    for attempt in {moment[0] for moment in moments}:
        mine = [moment for moment in moments if moment[0] == attempt]
        spans += max(came for _, came, _ in mine) - min(came - took for _, came, took in mine)
        number += len(mine)
    return spans / number if number and spans > 0 else None


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else 0.0


def best(results: Iterable[tuple[Arm, ArmResult]]) -> Arm | None:
    """The arm to look at on the test rows: the highest dev score; on a tie the cheaper prompt.

    Arms without a model are for comparison and never chosen (there is no prompt in them to build on), and neither is
    an adapter, what nobody could use as it is, an arm that lost the race, nor one with too many errors. One whose
    answers are mostly cut leads only where all are. Where no arm got a single row right, the cheapest prompt would win
    by being cheap: then the nearest answers lead.
    """
    eligible = [(arm, result) for arm, result in results if could_win(arm, result)]
    eligible = [(arm, result) for arm, result in eligible if result.fair] or eligible
    if not eligible:
        return None
    nothing = all(result.score <= 0 for _, result in eligible)

    def rank(pair: tuple[Arm, ArmResult]) -> tuple[float, float, float]:
        result = pair[1]
        return round(result.score, 9), round(result.near or 0.0, 9) if nothing else 0.0, -result.tokens_in

    return max(eligible, key=rank)[0]


def could_win(arm: Arm, result: ArmResult) -> bool:
    """Whether a prompt's dev result lets it be chosen at all."""
    beside = arm.free or arm.family in (*BEYOND, "adapter")
    return result.known and result.dropped is None and not beside


def done(results: Iterable[tuple[Arm, ArmResult]]) -> list[str]:
    """Families that count as tried, in the order of `NEEDED`: measured, few errors, all draws of random examples of one
    number. What an optimizer wrote is a revision too.

    An arm that was dropped counts: it was asked until the rows showed, at 5 % over the whole race, that another prompt
    is better, so the rows left could not have made it the best one. What the criterion asks is that the best prompt
    was looked for, and it was.
    """
    known = [arm for arm, result in results if result.known]
    counted = Counter(
        ("revised_prompt", None) if arm.family in REVISIONS else (arm.family, arm.settings.get("k")) for arm in known
    )
    most = Counter({family: max(n for (one, _), n in counted.items() if one == family) for family, _ in counted})
    draws = {"few_shot_random": SEEDS}
    return [family for family in NEEDED if most[family] >= draws.get(family, 1)]


def missing(results: Iterable[tuple[Arm, ArmResult]]) -> list[str]:
    """What gate G5 still asks for."""
    have = done(results)
    return [family for family in NEEDED if family not in have]
