"""The card of a merged model. Pure: facts in, text out."""

from app.merged.check import Facts
from app.merged.plan import Form
from app.results import card as cards
from app.results import serve_lines
from app.results.card import CardFacts


def card(facts: CardFacts, outcome: Facts, form: Form, *, gguf: str) -> str:
    """README.md of a merged model. gguf: the name of that file, for the form that is one."""
    as_gguf = form == "gguf"
    tags = ("lora-merged", "tunegate", *(("gguf",) if as_gguf else ()))
    revision = f" ({facts.revision})" if facts.revision else ""
    lines = [
        *cards.front_matter(facts, library="gguf" if as_gguf else "transformers", relation="finetune", tags=tags),
        "",
        f"# {facts.name}, merged",
        "",
        f"`{facts.base_model}`{revision} with a LoRA adapter written into its weights: both added in 32 bits, stored",
        f"in {outcome.dtype}" + (f" as GGUF by the package gguf {outcome.gguf}." if as_gguf else "."),
        *cards.made(facts),
        f"Made with {', '.join(f'{name} {number}' for name, number in sorted(outcome.libraries.items()))}.",
        "The adapter was trained after prompting had been measured and somebody other than its authors had approved",
        f"exactly this subject: `{facts.digest}`.",
        "",
        "## Does it answer as base and adapter do?",
        "",
        f"{outcome.words} Both computed in {outcome.computed}, as the measurement did, at temperature 0.",
        *cards.held_in_bits(facts),
        *(_read_back() if as_gguf else []),
        "",
        *cards.measured(facts),
        "",
        "These numbers are of base and adapter apart; merged it was asked the dev rows above and no others.",
        "",
        "## Use",
        "",
        *cards.prompting(facts),
        *(serve_lines.merged_gguf(gguf) if as_gguf else serve_lines.merged_weights()),
        *_other_weights(facts),
        "",
        *cards.origin(facts, "Merged model"),
    ]
    return "\n".join(lines)


def _other_weights(facts: CardFacts) -> list[str]:
    return ["", f"Of the weights that a hub has as `{facts.published}` nothing was measured."] if facts.made else []


def _read_back() -> list[str]:
    return [
        "",
        "That was asked of the merged weights before they were written as GGUF. transformers then read the file:",
        "every weight is the same number, and the prompts of these rows are cut into the same tokens. llama.cpp",
        "computes in its own order, so a near-tied token can tip an answer there.",
    ]
