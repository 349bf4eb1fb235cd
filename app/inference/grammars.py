"""A constraint as the grammar that decoding keeps to. Nothing here needs torch: the library is small and has no others.

JSON is written without line breaks, at most one blank behind a comma or a colon: with any white space allowed small
models write it until they are cut. Which of both it is stays the model's choice, as its examples have it.
"""

import json
from typing import Any

from app.inference.constraints import Constraint
from app.inference.schemas import REASON

# whitespace_flexible: see above; separators are expressions. coerce_one_of: alternatives of which exactly one should
# hold are taken as alternatives.
JSON_STYLE: Any = {  # typed by the library, which is imported where it is used
    "whitespace_flexible": False,
    "item_separator": ", ?",
    "key_separator": ": ?",
    "coerce_one_of": True,
    "lenient": False,
}
SMALL_SETS = "dws"  # \d, \w and \s are ASCII, as in the check of texts, not every script's


def grammar(constraint: Constraint) -> str:
    """The grammar, in the form that the library's matchers take."""
    from llguidance import LLMatcher, regex_to_lark

    match constraint.kind:
        case "json_schema":
            return str(LLMatcher.grammar_from_json_schema(constraint.text, overrides=JSON_STYLE))
        case "regex":
            return str(LLMatcher.grammar_from_lark(f"start: /{regex_to_lark(constraint.text, SMALL_SETS)}/"))
        case _:
            labels = " | ".join(json.dumps(label, ensure_ascii=False) for label in constraint.labels)
            return str(LLMatcher.grammar_from_lark(f"start: {labels}"))


def fault(constraint: Constraint) -> str:
    """Why decoding could not keep to this constraint, as a sentence; empty where it can, or where the library is not
    installed: whoever decodes looks again."""
    try:
        from llguidance import LLMatcher
    except ImportError:
        return ""
    try:
        reason = str(LLMatcher.validate_grammar(grammar(constraint)))
    except ValueError as error:
        reason = str(error)
    return f"Answers cannot be kept to this: {in_one_line(reason)}" if reason else ""


def in_one_line(reason: str) -> str:
    """What the library says is wrong, without its excerpt of the grammar."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    named = next((line for line in lines if line.startswith("error:")), lines[0] if lines else "no reason given")
    return named.removeprefix("error:").strip()[:REASON].rstrip(".") + "."
