"""How much of the expected text an answer shares: by characters, by words in order, by words whatever their order."""

import re
import unicodedata
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from app.evaluation.kinds.metric import Metric, Options, trimmed
from app.text import normal_form

if TYPE_CHECKING:
    from sacrebleu.metrics import CHRF


@lru_cache(maxsize=1)
def _chrf_scorer() -> "CHRF":
    from sacrebleu.metrics import CHRF

    return CHRF()  # character order 6, word order 0, beta 2: chrF2 (Popović 2015)


def _chrf(output: str, target: str, _options: Options) -> float:
    output, target = output.strip(), target.strip()
    if not target:
        return float(not output)
    return float(_chrf_scorer().sentence_score(output, [target]).score) / 100


WORD = re.compile(r"[^\W_]+")


def _words(text: str) -> list[str]:
    """Runs of letters and digits. For ASCII this is rouge-score's tokenizer; unlike it, other scripts count too."""
    return WORD.findall(text.lower())


def _rouge_l(output: str, target: str, _options: Options) -> float:
    """F1 of the longest common subsequence of words (Lin 2004, section 3.1, with beta = 1)."""
    from rapidfuzz.distance import LCSseq

    answer, wanted = _words(output), _words(target)
    if not answer or not wanted:  # no word on one side: only the same signs are the same answer
        return float(output.strip() == target.strip())
    common = LCSseq.similarity(answer, wanted)
    return 2 * common / (len(answer) + len(wanted))


def _word_view(text: str, _options: Options) -> str:
    return " ".join(_words(text))


ARTICLES = frozenset({"a", "an", "the"})
# Writing without blanks between words, where each character counts as a word, as in CMRC 2018 and MLQA: Thai, Lao,
# Burmese, Khmer, kana, Han.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]"
)


def tokens(text: str) -> list[str]:
    """The words of a text as SQuAD's evaluation takes them (Rajpurkar et al. 2016): small letters, without punctuation
    and the English articles; where a script has no blanks, each of its characters."""
    plain = "".join("" if unicodedata.category(sign)[0] in "PS" else sign for sign in normal_form("NFC", text.lower()))
    return [word for word in _UNSPACED.sub(r" \g<0> ", plain).split() if word not in ARTICLES]


def _token_f1(output: str, target: str, _options: Options) -> float:
    answer, wanted = tokens(output), tokens(target)
    if not answer or not wanted:
        return float(output.strip() == target.strip())
    common = (Counter(answer) & Counter(wanted)).total()
    return 2 * common / (len(answer) + len(wanted))


def _token_view(text: str, _options: Options) -> str:
    return " ".join(tokens(text))


METRICS = (
    Metric(name="chrf", binary=False, score=_chrf, view=trimmed),
    Metric(name="rouge_l", binary=False, score=_rouge_l, view=_word_view),
    Metric(name="token_f1", binary=False, score=_token_f1, view=_token_view),
)
