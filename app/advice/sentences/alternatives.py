"""What would do instead, in words: a title and a sentence or two for each alternative."""

from app.advice.facts import Score
from app.advice.sentences.scores import score_text, variant
from app.wording import Statement, Wording, plural

TITLES = {
    "trivial": "No language model",
    "small_classifier": "A small classifier",
    "embedding_classifier": "A classifier on embeddings",
    "label_scoring": "Scored labels",
    "shorter_prompt": "A shorter prompt",
    "schema": "A schema",
    "batch_tier": "Batch mode",
    "smaller_model": "A smaller model, prompted",
    "prompt_caching": "Prompt caching",
}
FREE = {
    "trivial": "Either the job needs no language model, or the metric can't tell a good answer from a copied one.",
    "small_classifier": "It answers in milliseconds, on any machine, and costs next to nothing a call.",
    "embedding_classifier": "It takes one small embedding model instead of a language model: milliseconds a call on an "
    "ordinary processor.",
}


def title(technique: str, grounds: Statement) -> str:
    match grounds.code:
        case "free_meets":
            return "No language model"
        case "free_ahead":
            return f"{variant(technique)}: use it, or beat it"
    return TITLES[technique]


def _free_ahead(arm: str, score: Score, best_prompt: Score | None, on_train: bool) -> str:
    best = f" The best prompt: {score_text(best_prompt)}." if best_prompt is not None else ""
    where = " Estimated on training rows that were held out in turn, not on the test rows." if on_train else ""
    return (
        f"It reaches {score_text(score)}, more than every prompt.{best}{where} {FREE[arm]} An adapter has to be "
        "better than it on the same rows."
    )


TEXTS = Wording({
    "free_meets": lambda arm, score, target: (
        f"{variant(arm)} reaches {score_text(score)}; the target is {target * 100:g} %. {FREE[arm]}"
    ),
    "free_ahead": _free_ahead,
    "try_classifier": "Sorting into known categories with {rows:#example} is what a small classifier can learn. "
    "Measuring here tries one on the same rows as the prompts.",
    "shorter": lambda arm, score, tokens, longest, target: (
        f"{variant(arm)} reaches {score_text(score)} with {plural(tokens, 'token')} a call instead of "
        f"{longest:,}; the target is {target * 100:g} %."
    ),
    "schema_meets": lambda score: (
        f"With answers held to a schema, prompting reaches {score_text(score)} and meets the target."
    ),
    "labels_meet": lambda score: (
        f"With each label scored instead of an answer written, the model reaches {score_text(score)} and meets the "
        "target. Nothing but a label can come out, each with its probability, so unsure cases can be passed on."
    ),
    "checker_helps": "Schema validation would catch most errors. With constrained decoding a model can't make them in "
    "the first place.",
    "schema_holds": "A schema would hold {share:%0} of your answers. It makes the form right at once; what stands in "
    "the fields is then the only question left.",
    "one_batch": "The job runs once and nobody waits for a single answer: send it as one batch, at the batch price.",
    "batch": "Answers that nobody waits for can go through batch mode, at the batch price and with the same quality.",
    "smaller_model": "Put the same prompt to the next smaller model of the same vendor and measure it on the same "
    "rows; where it meets the target, nothing has to be trained.",
    "cache": "The best prompt has {tokens:#token}, most of them the same on every call. Cached, the repeated part "
    "costs a fraction and answers start sooner.",
})  # fmt: skip
"""By the codes of `what_if.alternatives`."""
