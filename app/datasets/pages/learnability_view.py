"""What the baseline without a language model reached, in a line."""

from app.datasets.checks.report_trials import Learnability
from app.wording import percent


def in_short(tried: Learnability | None) -> str:
    """Baseline against the trivial guess; empty where nothing was tried."""
    if tried is None or tried.baseline is None or tried.trivial is None:
        return ""
    score, trivial = percent(tried.baseline.score), percent(tried.trivial.score)
    if tried.baseline.metric == "accuracy":
        return f"TF-IDF + logistic regression: {score} accuracy on unseen rows; majority class: {trivial}"
    return f"Answer of the nearest question: {score} similar to the right one; of a random question: {trivial}"
