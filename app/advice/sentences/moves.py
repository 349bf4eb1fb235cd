"""Cheaper moves in words: what each is, and what it takes."""

from app.wording import Wording

TITLES = {
    "shorter": "A shorter prompt",
    "caching": "Prompt caching",
    "batch": "The batch tier",
    "smaller": "A smaller model",
    "examples": "Fewer examples",
}
TEXTS = Wording({
    "shorter": "For every 100 tokens fewer. Cut what no answer needs, then measure again.",
    "no_cached_price": "Enter what cached tokens cost; many providers sell them at a fraction.",
    "caching": "About {same:#token is|tokens are} the same in every call. Providers ask for a minimum length; check "
    "theirs.",
    "somebody_waits": "Not here: an answer must come within half a second.",
    "no_batch_price": "Enter the batch tier's share of the price; it fits where nobody waits.",
    "batch": "If nobody waits for the answer. The answers stay the same, so nothing has to be measured again.",
    "no_smaller": "No cheaper model is in the list of prices.",
    "smaller": "With {name} and the same prompt. Whether it meets the target has to be measured.",
    "examples": "{fewer} nearest examples in place of {shots}. The first few bring most of the gain.",
})  # fmt: skip
"""By the codes of `app.advice.economics`."""
