"""Arms for answers that are labels: scored by the model, or learnt by a classifier on embeddings.

The labels are those of the training rows, in the spelling that is commonest there. Which they were is kept with the
arm, so that what is approved names them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, takewhile

from app.baselines import classifier
from app.baselines.arm_settings import ArmSettings
from app.baselines.arms import CHARACTERS_PER_TOKEN, Arm
from app.baselines.offers import Context, Offer
from app.inference import embedding
from app.inference import store as model_store

FAMILY = "label_scoring"
PROPOSED = 30  # labels up to which scoring is proposed: with 77 a row takes the embedded model 2 to 4 times as long
FEWEST, MOST = 2, 500  # labels that can be scored: each row computes with the tokens of all of them
TOGETHER = 20_000  # characters of all labels


def offers(context: Context) -> Iterator[Offer]:
    """What can be tried where the answers are labels; nothing where they are not."""
    targets = [row.target for row in context.examples["train"]]
    if not classifier.labelled(targets):
        return
    yield from _on_embeddings(context)
    yield from _scored(context, classifier.label_set(targets))


def _scored(context: Context, labels: Sequence[str]) -> Iterable[Offer]:
    kept: ArmSettings = {
        "scoring": "labels",
        "labels": {"number": len(labels), "sha256": classifier.label_set_sha256(labels)},
    }
    against, mend = _against(context, labels)
    why = "The model gives each label a probability, so nothing else can be answered and unsure cases can be passed on."
    slow = f" With {len(labels):,} labels a row takes several times as long as writing one."
    tokens = tokens_of(labels)
    why += slow if len(labels) > PROPOSED else ""
    proposed = not against and len(labels) <= PROPOSED
    arm = Arm(FAMILY, FAMILY, kept)
    yield Offer(arm, proposed=proposed, why=why, against=against, mend=mend, label_tokens=tokens)
    k = context.order.k_nearest
    nearest = Arm(FAMILY, f"{FAMILY}/nearest", {**kept, "shots": "nearest", "k": k})
    why = "The same after the examples that are most like the question."
    yield Offer(nearest, proposed=False, why=why, against=against, mend=mend, label_tokens=tokens)


def tokens_of(labels: Sequence[str]) -> float:
    """Tokens that a model computes with to score labels, as an estimate: what labels begin with in common counts once,
    and each has a piece of its own at least."""
    alphabetical = sorted(labels)
    alike = (takewhile(lambda pair: pair[0] == pair[1], zip(*pair, strict=False)) for pair in pairwise(alphabetical))
    common = sum(1 for letters in alike for _ in letters)
    return (sum(map(len, labels)) - common) / CHARACTERS_PER_TOKEN + len(labels)


def _against(context: Context, labels: Sequence[str]) -> tuple[str, str]:
    """Why labels can't be scored, and the page where that is mended."""
    if not FEWEST <= len(labels) <= MOST:
        return f"{len(labels):,} labels are too many to score; {MOST:,} at most.", ""
    if (together := sum(map(len, labels))) > TOGETHER:
        against = f"The labels have {together:,} characters together, which the model would read for each row; "
        return f"{against}{TOGETHER:,} at most.", ""
    model = next((row for row in model_store.usable(context.session) if row.id == context.order.model_id), None)
    if model is None:
        return "Choose a model first.", ""
    if model.kind == "endpoint":
        return "A model server doesn't tell how likely given answers are; choose a model of this machine.", ""
    return "", ""


def _on_embeddings(context: Context) -> Iterator[Offer]:
    """A classifier on the vectors of every embedding model of this machine: nothing leaves it, and no call is made."""
    for choice in embedding.local_choices(context.settings) if context.settings else ():
        usual = choice.key == embedding.BUNDLED
        name = "embedding_classifier" if usual else f"embedding_classifier/{choice.key}"
        settings: ArmSettings = {
            "by": "embedding",
            "embedder": {"choice": choice.key, "name": choice.name},
            "learns": "logistic",
        }
        why = f"Costs no call; an adapter has to beat it. {choice.why}"
        arm = Arm("embedding_classifier", name, settings)
        yield Offer(arm, proposed=usual and not choice.missing, why=why, against=choice.missing)
