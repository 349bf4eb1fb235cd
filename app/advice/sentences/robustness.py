"""How stable a verdict is, in words."""

from collections.abc import Sequence

from app.wording import percent


def text(share: float, draws: int, tips: Sequence[str]) -> str:
    sentence = (
        f"{percent(share, 0)} of {draws} slightly different policies (every weight up to a point, every threshold up "
        "to a tenth away) come to the same verdict."
    )
    return f"{sentence} It turns on: {'; '.join(tips)}." if tips else sentence
