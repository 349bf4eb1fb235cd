"""The same text: character by character, or once what only dresses it is taken off."""

from app.evaluation import form
from app.evaluation.kinds.metric import Metric, Option, Options, trimmed


def _exact(output: str, target: str, _options: Options) -> float:
    return float(output.strip() == target.strip())


def _normal(text: str, options: Options) -> str:
    bare = form.bared(form.folded(text))
    return form.unprefixed(bare) if options.get("prefix") else bare


def _normalised(output: str, target: str, options: Options) -> float:
    if output.strip() == target.strip():
        return 1.0
    answer = _normal(output, options)
    return float(bool(answer) and answer == _normal(target, options))


def dressed(name: str, output: str, target: str, options: Options) -> bool:
    """Whether an answer counts as right only because something around it was taken off."""
    return (
        name == "normalised_match"
        and _normalised(output, target, options) == 1
        and output.strip() != target.strip()
        and form.folded(output) != form.folded(target)
    )


METRICS = (
    Metric(name="exact_match", binary=True, score=_exact, view=trimmed),
    Metric(
        name="normalised_match",
        binary=True,
        score=_normalised,
        view=_normal,
        rules=form.RULES,
        options=(
            Option(
                name="prefix",
                kind="flag",
                title="Take off “Label:” or “The answer is”",
                help="Reads what follows such words. Leave it off when the program behind does not.",
            ),
        ),
    ),
)
