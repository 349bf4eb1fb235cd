"""What somebody asks a measurement to be. Pure."""

from dataclasses import dataclass, field

from app.baselines.arms import PROMPTED
from app.json_types import JsonObject


@dataclass(frozen=True, slots=True)
class BaselineRequest:
    """What a measurement is asked to be; see `BaselineRow`. dev_rows, test_rows: 0 asks all of them.

    passage_instructions: what is asked besides where passages are given; None asks to cite and to say when it is not
    there. variants: kinds of prompts to ask, of `arms.PROMPTED`; the criteria ask for all of them. arms: names of the
    offers to take (`catalogue.offers`); None takes what is proposed.
    racing: whether arms that surely lose on the dev rows are asked no more. consent: the word of whoever starts it that
    the rows may be sent to the model server; consents: ids of other models to whose servers they may be sent as well.
    price_in, price_out: per million tokens of the run's model, for the estimate only.
    from_version: number of the version of the prompt that the instructions were made from.
    at_once: calls at once to a server, as many as the installation allows where it is None. fresh: ask anew what an
    earlier run has answers to. budget_calls, budget_tokens, budget_money: the run ends when one of them is used up.
    """

    model_id: int
    instructions: str
    k_random: int = 3
    k_nearest: int = 5
    max_tokens: int = 256
    dev_rows: int = 0
    test_rows: int = 0
    metric_options: JsonObject = field(default_factory=dict)
    variants: tuple[str, ...] = PROMPTED
    arms: tuple[str, ...] | None = None
    passage_instructions: str | None = None
    racing: bool = True
    consent: bool = False
    consents: tuple[int, ...] = ()
    price_in: float | None = None
    price_out: float | None = None
    from_version: int | None = None
    at_once: int | None = None
    fresh: bool = False
    budget_calls: float | None = None
    budget_tokens: float | None = None
    budget_money: float | None = None
