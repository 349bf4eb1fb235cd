"""What a measurement will ask for, line by line, before it starts: calls, tokens, time and money of each arm.

Tokens are estimated from the texts. Time is from how long each model took so far for how many tokens. Money is counted
where a price is known: given with the order for the run's model, else from the team's list.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from app.baselines import arm_settings, arms, catalogue, other_models, store
from app.baselines.arms import CHARACTERS_PER_TOKEN
from app.baselines.offers import Context, Offer, Sizes
from app.inference import store as model_store
from app.settings import Settings
from app.web.protocols import CallPrice, CallPrices, JudgeChoices

BUNDLED_READS, BUNDLED_WRITES = 500.0, 30.0  # tokens a second on one ordinary core, until it has been timed here
ALIKE = 2.0  # calls of up to so many times the tokens measured so far are estimated well, others roughly
FIELDS = {"few_shot_random": "k_random", "few_shot_nearest": "k_nearest"}  # settings of an order, by the line's key


@dataclass(frozen=True, slots=True)
class Known:
    """What planning is told of the installation: where its models are, what the team's list of prices says, and which
    LLM judges may decide; none may where nobody says so."""

    settings: Settings | None = None
    prices: CallPrices | None = None
    judges: JudgeChoices | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """What a part of a run will take, as an estimate.

    seconds: a rough guess for the embedded model before its first answer, None for others. rough_seconds: the part of
    them that is from other rows or settings than these, or from no counted tokens. cost: None where the model has no
    price.
    """

    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0
    seconds: float | None = 0.0
    rough_seconds: float = 0.0
    cost: float | None = 0.0

    @property
    def tokens(self) -> int:
        """Tokens of prompts and answers together."""
        return round(self.prompt_tokens + self.completion_tokens)

    @property
    def rough(self) -> bool:
        """Whether most of the time is a rough guess."""
        return self.seconds is None or self.rough_seconds > self.seconds / 2

    def __add__(self, other: "Cost") -> "Cost":
        """Both together; time and money are unknown where either's are."""
        return Cost(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            None if self.seconds is None or other.seconds is None else self.seconds + other.seconds,
            self.rough_seconds + other.rough_seconds,
            None if self.cost is None or other.cost is None else self.cost + other.cost,
        )


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a plan: an offer, or several draws of the same that are chosen together.

    names: of its arms. taken: whether the order has it. cost: of the dev rows, all draws together. model_id: of another
    model than the run's. field: the setting of the order that is its number of examples.
    """

    key: str
    names: tuple[str, ...]
    label: str
    group: str
    taken: bool
    offer: Offer
    cost: Cost
    model_id: int | None = None
    field: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will ask for. most_calls: if as many prompts as may are within reach of the best one on the dev rows,
    and so are asked the test rows as well. The rest is that of `calls`, with nobody dropped; see `Cost`. currency: of
    `cost`, empty where nobody said which. fewer: whether a chosen arm can be asked only some of the dev rows.
    judge_calls: those among them of the LLM judge that decides, one for each answer; 0 where none does."""

    calls: int
    most_calls: int
    dev_rows: int
    test_rows: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    rough: bool
    cost: float | None
    currency: str = ""
    fewer: bool = False
    judge_calls: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of prompts and answers together."""
        return round(self.prompt_tokens + self.completion_tokens)


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan that may still be changed: every line that could be measured, cheap first, and what the chosen ones come
    to. tested: what the test rows cost, of the best prompt and of each other model, by the longest prompt. searching:
    servers besides the run's own that would embed every question to search passages by it, by the model's id."""

    choices: tuple[Choice, ...]
    tested: Cost
    total: Estimate
    searching: Mapping[int, str] = field(default_factory=dict)

    def groups(self, *, proposed: bool) -> Mapping[str, Sequence[Choice]]:
        """Lines that can be run, under their headings: those that are proposed, or the others."""
        able = [choice for choice in self.choices if not choice.offer.against and choice.offer.proposed == proposed]
        return {group: [one for one in able if one.group == group] for group in dict.fromkeys(c.group for c in able)}

    @property
    def servers(self) -> Mapping[int, str]:
        """Servers that the chosen lines of other models send the rows to, by the model's id."""
        chosen = [choice for choice in self._by_others() if choice.taken]
        kept = [(one.model_id, one.offer.arm.settings["model_as"]) for one in chosen if one.model_id is not None]
        named = {number: f"{one['name']} at {host_of(one['base_url'])}" for number, one in kept if one["base_url"]}
        return {model_id: host for model_id, host in named.items() if model_id not in self.searching}

    def _by_others(self) -> Sequence[Choice]:
        return [one for one in self.choices if one.model_id is not None and not one.offer.against]

    @property
    def refused(self) -> Sequence[Choice]:
        """Lines that can't be run, with the reason in their offer."""
        return [choice for choice in self.choices if choice.offer.against]


def outline(
    context: Context, made: Sequence[Offer], known: Known, judged: Callable[[int], Cost] | None = None
) -> Outline:
    """Every line with what it would cost, and the sum of the chosen ones. judged: what so many judgements cost, where
    an LLM judge decides (`judge_costs`)."""
    sizes, pricing = Sizes.of(context), _Pricing(context, known)
    dev, test = (_rows(context, split) for split in ("dev", "test"))
    together: dict[str, list[Offer]] = {}
    for offer in made:
        together.setdefault(offer.key, []).append(offer)
    taken = [group[0] for group in together.values() if catalogue.takes(context, group[0])]
    asking = [offer for offer in taken if not offer.arm.free and offer.arm.family != "oracle"]  # it chooses nothing
    own = [offer for offer in asking if "model_id" not in offer.arm.settings]
    longest = max(map(sizes.prompt, own), default=0.0) / CHARACTERS_PER_TOKEN

    def prompt_of(offer: Offer) -> float:
        follows = other_models.FOLLOWS in offer.arm.settings  # the best prompt, whichever that will be
        return longest if follows else sizes.prompt(offer) / CHARACTERS_PER_TOKEN

    choices = [
        Choice(
            key=key,
            names=tuple(one.arm.name for one in group),
            label=group[0].arm.title.partition(" (sample ")[0],
            group=group[0].group,
            taken=group[0] in taken,
            offer=group[0],
            cost=pricing.of(group[0], len(group) * _asked(group[0], dev), max(map(prompt_of, group))),
            model_id=group[0].arm.settings.get("model_id"),
            field=FIELDS.get(key, ""),
        )
        for key, group in together.items()
    ]
    asked: dict[int | None, Offer] = {}
    for offer in sorted(asking, key=prompt_of):
        asked[offer.arm.settings.get("model_id")] = offer
    tested = sum((pricing.of(offer, test, prompt_of(offer)) for offer in asked.values()), Cost())
    total = sum((choice.cost for choice in choices if choice.taken), tested)
    judgements = 0
    if judged is not None:
        free = sum(len(together[offer.key]) for offer in taken if offer.arm.free)
        judgements = total.calls + free * (dev + test)
        total += judged(judgements)
    rivals = sum(len(together[offer.key]) for offer in own) - 1
    within_reach = max(0, min(arms.RIVALS_MOST, rivals)) * test
    return Outline(
        tuple(choices),
        tested,
        Estimate(
            calls=total.calls,
            most_calls=total.calls + within_reach * (1 if judged is None else 2),
            dev_rows=dev,
            test_rows=test,
            prompt_tokens=round(total.prompt_tokens),
            completion_tokens=round(total.completion_tokens),
            seconds=total.seconds,
            rough=total.rough,
            cost=total.cost,
            currency=pricing.currency,
            fewer=any(offer.rows is not None and offer.rows < dev for offer in taken),
            judge_calls=judgements,
        ),
        _searching(context, made),
    )


def _searching(context: Context, made: Sequence[Offer]) -> dict[int, str]:
    ids = {offer.embeds for offer in made if offer.embeds and not offer.against} - {context.order.model_id}
    rows = (model_store.get(context.session, model_id) for model_id in sorted(ids))
    return {row.id: f"{row.name} at {host_of(row.base_url)}" for row in rows}


def _asked(offer: Offer, dev: int) -> int:
    """Calls of one draw on that many dev rows: the oracle is asked only where the right passage is known."""
    return 0 if offer.arm.free else dev if offer.rows is None else min(dev, offer.rows)


def _rows(context: Context, split: str) -> int:
    limit = context.order.dev_rows if split == "dev" else context.order.test_rows
    return min(len(context.examples[split]), limit or len(context.examples[split]))


def prices(context: Context, known: Known) -> dict[int, CallPrice]:
    """What calls of the models cost, by their id: as the order says of the run's own, else by the team's list."""
    order, usable = context.order, model_store.usable(context.session)
    listed = dict(known.prices(context.session, context.assessment, usable)) if known.prices else {}
    if order.price_in is not None and order.price_out is not None:
        currency = next((price.currency for price in listed.values()), "")
        listed[order.model_id] = CallPrice(order.price_in, order.price_out, currency)
    return listed


class _Pricing:
    """Time and money of calls, by the model that answers them."""

    def __init__(self, context: Context, known: Known) -> None:
        self._session, self._order = context.session, context.order
        answer = Sizes.of(context).answer / CHARACTERS_PER_TOKEN
        self._completion = min(float(context.order.max_tokens), max(1.0, answer))
        self._prices = prices(context, known)
        self.currency = next((price.currency for price in self._prices.values()), "")
        self._paces: dict[int, list[store.Pace]] = {}

    def of(self, offer: Offer, calls: int, prompt: float) -> Cost:
        """prompt: tokens of one call's prompt."""
        if not calls:
            return Cost()
        model_id = int(offer.arm.settings.get("model_id", self._order.model_id))
        read, write = calls * prompt, calls * self._completion
        seconds, rough = self._time(offer, model_id, calls, prompt)
        price = self._prices.get(model_id)
        cost = None if price is None else (read * price.input + write * price.output) / 1e6
        return Cost(calls, read, write, seconds, (seconds or 0.0) if rough else 0.0, cost)

    def _time(self, offer: Offer, model_id: int, calls: int, prompt: float) -> tuple[float | None, bool]:
        """Seconds for that many calls, by what this model took so far, and whether that is a rough guess.

        Reading a token takes a model a small part of the time that writing one takes; the ratio is that of the embedded
        model, and close enough for others: what counts is that ten times the tokens are not the same time. Where labels
        are scored, nothing is written, and the tokens of all of them are read for each row.
        """
        if model_id not in self._paces:
            self._paces[model_id] = store.paces(self._session, model_id)
        labels = arm_settings.labels_of(offer.arm.settings)
        same = [pace for pace in self._paces[model_id] if pace.labels == labels]
        paces = same or [pace for pace in self._paces[model_id] if not pace.labels]

        def work_of(pace: store.Pace) -> float:
            if pace.labels:
                return _work(pace.prompt_tokens + offer.label_tokens, 0.0)
            return _work(pace.prompt_tokens, pace.completion_tokens)

        planned = _work(prompt + offer.label_tokens, 0.0 if labels else self._completion)
        if not paces:
            row = model_store.bundled(self._session)
            return (calls * planned if row and row.id == model_id else None), True
        weighed = [pace for pace in paces if work_of(pace) > 0]
        if not weighed:
            return calls * sum(pace.seconds for pace in paces) / len(paces), True
        rate = sum(pace.seconds for pace in weighed) / sum(map(work_of, weighed))
        so_far = sum(map(work_of, weighed)) / len(weighed)
        alike = bool(same) and max(so_far, planned) <= ALIKE * min(so_far, planned)
        return rate * calls * planned, not (alike and all(pace.counted for pace in weighed))


def host_of(base_url: str) -> str:
    """The part of a server's address that says whose it is, with its port."""
    return urlsplit(base_url).netloc or base_url


def _work(read: float, write: float) -> float:
    return read / BUNDLED_READS + write / BUNDLED_WRITES
