"""Which prompts with examples are offered: how many, drawn or nearest, and as many as the model's window holds."""

from collections.abc import Iterator, Mapping

from app.baselines import arms
from app.baselines.arm_settings import ArmSettings
from app.baselines.arms import SEEDS, Arm
from app.baselines.offers import Context, Offer
from app.inference import embedding, trials
from app.inference import store as model_store
from app.inference.tables import ModelRow

NUMBERS = (1, 3, 5, 10)  # of random examples
MANY_LEAST = 20  # examples from which on a prompt is called many-shot
MANY_MOST = 500


def offers(context: Context) -> Iterator[Offer]:
    """Zero-shot, random and nearest examples; what asks no model as well, which shows what an adapter has to beat."""
    order, targets = context.order, [row.target for row in context.examples["train"]]
    for arm in arms.plan(order.k_random, order.k_nearest, context.dataset.seed, targets):
        yield Offer(arm, arm.free or arm.family in order.variants, why=WHY.get(arm.family, ""), always=arm.free)
    yield from _by_meaning(context)
    for number in NUMBERS:
        if number != order.k_random and number < len(targets):
            for draw in range(1, SEEDS + 1):
                settings: ArmSettings = {"shots": "random", "k": number, "seed": context.dataset.seed + draw}
                arm = Arm("few_shot_random", f"few_shot_random/k{number}/{draw}", settings)
                yield Offer(arm, proposed=False, why="Shows what more or fewer examples bring.")
    yield _many(context)


WHY: Mapping[str, str] = {
    **dict.fromkeys(arms.FREE, "Costs no call; an adapter has to beat it."),
    "zero_shot": "The plainest prompt.",
    "few_shot_random": "Three draws show how much the choice of examples matters.",
    "few_shot_nearest": "Chosen for each question by TF-IDF; often the best prompt.",
}


def _by_meaning(context: Context) -> Iterator[Offer]:
    """Nearest examples by every embedding model of this machine: nothing leaves it."""
    choices = embedding.local_choices(context.settings) if context.settings else []
    for choice in choices:
        settings: ArmSettings = {
            "shots": "nearest",
            "k": context.order.k_nearest,
            "by": "embedding",
            "embedder": {"choice": choice.key, "name": choice.name.rpartition("/")[2]},
        }
        arm = Arm("few_shot_nearest", f"few_shot_nearest/{choice.key}", settings)
        why = f"Finds other words for the same. {choice.why}"
        yield Offer(arm, proposed=False, why=why, against=choice.missing)


def _many(context: Context) -> Offer:
    model = next((row for row in model_store.usable(context.session) if row.id == context.order.model_id), None)
    k, against = _how_many(context, model)
    settings: ArmSettings = {
        "shots": "many",
        "k": k,
        "seed": context.dataset.seed,
        "window": trials.window(model) if model else None,
    }
    return Offer(
        Arm("many_shot", "many_shot", settings),
        proposed=False,
        why="As many examples as the model's window holds; the same each time, fewer before a longer question.",
        against=against,
        mend="" if k or not against else "/models",
    )


def _how_many(context: Context, model: ModelRow | None) -> tuple[int, str]:
    """How many examples fit beside the longest question and its answer; why that is too few, or not known."""
    if model is None:
        return 0, "Choose a model first."
    window = trials.window(model)
    if not window:
        if model.kind == "endpoint":
            way = "meet the server or enter its context window under Models."
            return 0, f"Nobody said how many tokens {model.name} reads: {way}"
        return 0, f"{model.name} is not set up yet, so nobody knows how many tokens it reads."
    train = context.examples["train"]
    seen = [*train, *context.examples["dev"]]  # test rows choose nothing; one that is longer still is shown fewer
    longest = max((sum(len(turn.content) for turn in row.messages) for row in seen), default=0)
    sizes = [sum(len(turn.content) for turn in row.messages) + len(row.target) for row in train]
    left = arms.room(window, context.order.max_tokens, context.order.instructions) - longest
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    k = min(int(left / mean) if mean and left > 0 else 0, len(train) - 1, MANY_MOST)
    if k < MANY_LEAST:
        return max(k, 0), (
            f"Only {max(k, 0)} examples fit into the {window:,} tokens that {model.name} reads; that is few-shot."
            if len(train) > MANY_LEAST
            else "There are too few training rows."
        )
    return k, ""
