"""The policy: every weight and every threshold, each with its reason and its source.

Read top to bottom, this file is what a reviewer argues about. Weights rank and explain; thresholds are what the gates
in `gates.py` hold values against. A change here changes `Policy.sha256`, and every piece of advice carries it.

Marks in a source: [V] read in the primary text, [S] read in a secondary one, [J] our judgement, which no source fixes.
All weights are [J] in size; the source speaks for their direction.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Points:
    """What one answer speaks for; -3 to +3 for each approach."""

    prompt: int = 0
    rag: int = 0
    fine_tune: int = 0

    def __add__(self, other: "Points") -> "Points":
        return Points(self.prompt + other.prompt, self.rag + other.rag, self.fine_tune + other.fine_tune)


@dataclass(frozen=True, slots=True)
class Weight:
    """The points of one answer to one factor. Where several answers hold (F01), their points add up."""

    factor: str
    answer: str
    points: Points
    because: str
    source: str


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a gate or a band is held against."""

    name: str
    value: float
    because: str
    source: str


@dataclass(frozen=True)
class Policy:
    """One version of the rule set."""

    version: str
    weights: tuple[Weight, ...]
    thresholds: tuple[Threshold, ...]

    @cached_property
    def sha256(self) -> str:
        """Over the canonical JSON of everything that can move a verdict or its explanation."""
        text = json.dumps(
            {
                "version": self.version,
                "weights": [asdict(weight) for weight in self.weights],
                "thresholds": [asdict(threshold) for threshold in self.thresholds],
            },
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def _limits(self) -> dict[str, float]:
        return {threshold.name: threshold.value for threshold in self.thresholds}

    @cached_property
    def _weights(self) -> dict[tuple[str, str], Weight]:
        return {(weight.factor, weight.answer): weight for weight in self.weights}

    def limit(self, name: str) -> float:
        return self._limits[name]

    def count(self, name: str) -> int:
        return int(self._limits[name])

    def weight(self, factor: str, answer: str) -> Weight:
        """The row for this answer; `unknown` is worth nothing unless the table has a row for it (F08 has)."""
        return self._weights.get((factor, answer)) or Weight(factor, answer, Points(), UNKNOWN_BECAUSE, JUDGED)


JUDGED = "Our judgement [J]"
UNKNOWN_BECAUSE = "Not known yet, so it counts for nothing; an answer would make the advice surer."


def _w(factor: str, answer: str, points: tuple[int, int, int], because: str, source: str) -> Weight:
    return Weight(factor, answer, Points(*points), because, source)


THRESHOLDS = (
    Threshold(
        "usable_examples",
        1000,
        "With fewer different examples a tuned model tends to memorise them. Our floor, not a law.",
        "Founding text; LIMA 2305.11206 [S]; OpenAI, Optimizing LLM accuracy [V]",
    ),
    Threshold(
        "test_rows",
        200,
        "Below it a result can't tell 80 % from 87 %.",
        "Connor 1987 sample-size formula [V]",
    ),
    Threshold(
        "target_grace",
        0.02,
        "A score at the target whose interval reaches 2 points below still counts as meeting it.",
        JUDGED,
    ),
    Threshold(
        "error_rate",
        0.02,
        "With more failed calls than this, a low score may be the connection's fault and not the prompt's.",
        JUDGED,
    ),
    Threshold(
        "calls_per_example",
        10,
        "A tuned model has to be used ten times for each example it took to make it worth keeping.",
        JUDGED,
    ),
    Threshold("months_ahead", 6, "How far ahead a volume can be said with any confidence.", JUDGED),
    Threshold(
        "oracle_gain",
        0.10,
        "If the right passage lifts the score this much, the model lacks information, not manners.",
        "OpenAI, Optimizing LLM accuracy [V]; size of the gap [J]",
    ),
    Threshold(
        "contradiction_rate",
        0.05,
        "More rows than this that disagree with their twins teach the model to guess.",
        "Label-error studies 2410.18889 [V]; cut-off [J]",
    ),
    Threshold("kappa", 0.6, "Agreement beyond chance that is usually called substantial.", "Convention; [J]"),
    Threshold("kappa_high", 0.8, "Agreement beyond chance that is usually called near-perfect.", "Convention; [J]"),
    Threshold("tagged_failures", 30, "Fewer than this and the shares are noise.", JUDGED),
    Threshold("behaviour_share", 0.50, "At least half of the failures must be what training can change.", JUDGED),
    Threshold("facts_share", 0.25, "More missing facts than this call for documents first.", JUDGED),
    Threshold(
        "instructions_share", 0.25, "More unclear instructions than this call for a better prompt first.", JUDGED
    ),
    Threshold("reference_share", 0.10, "More wrong reference answers than this call for label repair first.", JUDGED),
    Threshold("short_gap", 0.10, "From here on, prompting is far from its target.", JUDGED),
    Threshold(
        "context_window",
        200_000,
        "Reference text up to about this many tokens (500 pages) can simply be put in front of the model.",
        "Anthropic, contextual retrieval [S]",
    ),
    Threshold("corpus_large", 3_000_000, "'A few million' tokens end here.", JUDGED),
    Threshold(
        "prompt_tokens",
        4000,
        "A longer prompt on every call is what training can take away.",
        "Azure, when to use fine-tuning [V]; MSICL 2404.11018 [V]; size [J]",
    ),
)

_OVA = "OVA 2312.05934 [V]; fine-tuning for new facts 2411.05059 [V]"
_STYLE = "OpenAI, Azure, Google and Meta tuning guides [V]"
_SIZES = "OpenAI, Azure, Google, Together, Predibase size advice [V]; LIMA [S]; [J]"
_AWS = "AWS Prescriptive Guidance, RAG and fine-tuning [V]"
_FIRST = "OpenAI and Anthropic: evals and prompt first [V]; Azure readiness list [V]"
_WHY = "OpenAI, Optimizing LLM accuracy [V]; Huyen, AI Engineering ch. 7 [S]"
_COST = "Azure, fine-tuning considerations [V]; Distil Labs 2026 [V, vendor]"

WEIGHTS = (
    # F01 what should get better
    _w("F01", "facts", (0, 3, -3), "Looking things up teaches facts; training mostly makes a model sound surer.", _OVA),
    _w(
        "F01",
        "format",
        (1, -1, 2),
        "A fixed shape is behaviour: a prompt often gets it, training gets it for good.",
        _STYLE,
    ),
    _w("F01", "style", (1, -1, 2), "Tone and voice are behaviour, which examples teach better than rules.", _STYLE),
    _w(
        "F01",
        "terms",
        (0, 1, 2),
        "House vocabulary can be learnt; a glossary in the prompt is the cheap first try.",
        _STYLE,
    ),
    _w("F01", "classify", (1, 0, 2), "Sorting into categories improves with labelled examples.", "BUC 2406.08660 [V]"),
    _w(
        "F01",
        "extract",
        (1, 0, 1),
        "Pulling out fields gains from many examples, in the prompt or in training.",
        "SambaNova many-shot guide [V, vendor]",
    ),
    _w(
        "F01",
        "tools",
        (1, 0, 2),
        "An own query language or tool set is syntax, which training can hold instead of the prompt.",
        "Azure, when to use fine-tuning [V]; Distil Labs [V, vendor]",
    ),
    _w("F01", "reasoning", (2, 0, -1), "Try a stronger model first: small training sets seldom add reasoning.", JUDGED),
    _w(
        "F01",
        "efficiency",
        (0, -1, 3),
        "A small trained model can stand in for a large prompted one.",
        "DSS 2305.02301 [V]; Distil Labs [V, vendor]",
    ),
    _w(
        "F01",
        "safety",
        (1, 0, 0),
        "Guard outside the model: training tends to weaken its guardrails.",
        "QI 2310.03693 [V]",
    ),
    _w(
        "F01",
        "general",
        (2, 0, -2),
        "Nothing specific to teach; plain instructions are often enough.",
        "OpenAI, Optimizing LLM accuracy [V]",
    ),
    # F02 freshness
    _w(
        "F02",
        "daily",
        (0, 3, -3),
        "Facts that change daily can't be kept in weights; an index takes a new document in minutes.",
        _AWS,
    ),
    _w("F02", "weekly", (0, 2, -2), "Facts that change weekly outrun any training rhythm.", _AWS),
    _w("F02", "monthly", (0, 2, -2), "Facts that change monthly would need a new training each time.", _AWS),
    _w("F02", "yearly", (0, 1, 0), "Facts that change yearly are still easier to replace in an index.", _AWS),
    _w(
        "F02",
        "none",
        (0, -1, 1),
        "No outside facts are needed, so there is nothing to look up.",
        "Azure Foundry fine-tuning overview [V]",
    ),
    # F03 sources
    _w("F03", "must", (0, 3, -2), "Only looked-up passages can be cited; a trained model names no source.", _AWS),
    _w("F03", "nice", (0, 1, 0), "Looked-up passages can be cited.", _AWS),
    _w("F03", "no", (0, 0, 0), "No citation is needed.", _AWS),
    # F04 rights and erasure
    _w(
        "F04",
        "yes",
        (0, 3, -3),
        "What is in the weights can be neither filtered per person nor erased; an index can.",
        "Erasure notes citing EDPB Opinion 28/2024 [S]",
    ),
    _w(
        "F04",
        "some",
        (0, 1, -1),
        "A part of it must stay filterable or erasable.",
        "Erasure notes citing EDPB Opinion 28/2024 [S]",
    ),
    _w("F04", "no", (0, 0, 0), "Everybody may see everything.", JUDGED),
    # F05 reference material
    _w("F05", "none", (0, -2, 0), "There is no reference text to look anything up in.", JUDGED),
    _w(
        "F05",
        "fits",
        (2, 0, 0),
        "All of the reference text fits in front of the model.",
        "Anthropic, contextual retrieval [S]; SELF-ROUTE 2407.16833 [V]",
    ),
    _w(
        "F05",
        "large",
        (0, 2, 0),
        "Too much text for one prompt, a good size for an index.",
        "SELF-ROUTE 2407.16833 [V]",
    ),
    _w("F05", "huge", (-2, 3, 0), "Far too much text for a prompt.", "SELF-ROUTE 2407.16833 [V]"),
    # F06 long tail
    _w("F06", "rare", (0, 2, -2), "Rare facts are where looking up beats training by most.", "SOU 2403.01432 [V]"),
    _w("F06", "mixed", (0, 1, -1), "Some of the questions are about rare things.", "SOU 2403.01432 [V]"),
    _w("F06", "common", (0, 0, 0), "The questions are about well-known things.", "SOU 2403.01432 [V]"),
    # F07 usable examples
    _w("F07", "under 50", (2, 0, -3), "That many examples fit in a prompt and are too few to train on.", _SIZES),
    _w("F07", "50-299", (1, 0, -2), "Enough to choose good examples for a prompt from, too few to train on.", _SIZES),
    _w("F07", "300-999", (0, 0, -1), "A pilot's worth: measure how the score grows, do not train for use.", _SIZES),
    _w("F07", "1000-4999", (0, 0, 2), "Enough different examples to learn a behaviour.", _SIZES),
    _w("F07", "5000 and more", (0, 0, 3), "Plenty of different examples.", _SIZES),
    # F08 agreement
    _w("F08", "high", (0, 0, 1), "The labels agree, so there is one behaviour to learn.", "OpenAI tuning guide [V]"),
    _w("F08", "medium", (0, 0, 0), "The labels agree well enough.", "OpenAI tuning guide [V]"),
    _w(
        "F08",
        "low",
        (0, 0, -3),
        "A model doesn't beat the people who wrote its data, and these disagree.",
        "OpenAI tuning guide [V]; label noise 2604.12469 [S]",
    ),
    _w(
        "F08",
        "unknown",
        (0, 0, -1),
        "Nobody has looked whether the labels agree; that is a risk of its own.",
        "OpenAI tuning guide [V]",
    ),
    # F09 coverage
    _w("F09", "broad", (0, 0, 1), "The examples look like what will come in.", "OpenAI, Optimizing LLM accuracy [V]"),
    _w(
        "F09", "gaps", (0, 0, -1), "What is not in the examples won't be learnt.", "OpenAI, Optimizing LLM accuracy [V]"
    ),
    _w(
        "F09",
        "skewed",
        (0, 0, -2),
        "A skewed or made-up set teaches its own skew.",
        "OpenAI tuning guide, refusal balance [V]",
    ),
    # F10 recurrence
    _w(
        "F10",
        "once",
        (3, 0, -3),
        "A job that runs once doesn't repay a model.",
        "Founding text; Azure, fine-tuning considerations [V]",
    ),
    _w(
        "F10",
        "months",
        (1, 0, -1),
        "A few months hardly repay a model and its upkeep.",
        "Azure, fine-tuning considerations [V]",
    ),
    _w("F10", "ongoing", (0, 0, 1), "A lasting job can repay a model.", "Azure, fine-tuning considerations [V]"),
    # F11 volume
    _w(
        "F11",
        "under 10k",
        (2, 0, -2),
        "At this volume a longer prompt costs next to nothing.",
        "Cost formulas, section 4.6 [J]",
    ),
    _w("F11", "10k-100k", (0, 0, 0), "At this volume cost speaks for neither.", "Cost formulas, section 4.6 [J]"),
    _w("F11", "100k-1M", (0, 0, 1), "At this volume shorter prompts begin to pay.", "Cost formulas, section 4.6 [J]"),
    _w(
        "F11",
        "over 1M",
        (-1, 0, 2),
        "At this volume every token in the prompt is paid for a million times.",
        "Cost formulas, section 4.6 [J]",
    ),
    # F12 prompting
    _w("F12", "no", (2, 0, -2), "Prompting hasn't been tried, and it is the cheapest thing to try.", _FIRST),
    _w("F12", "met", (3, 0, -3), "Good prompting already reaches the target.", _FIRST),
    _w("F12", "unclear", (1, 0, -1), "It isn't clear yet whether prompting reaches the target.", _FIRST),
    _w("F12", "short_small", (0, 0, 1), "Good prompting stays a little short of the target.", _FIRST),
    _w("F12", "short_large", (-1, 0, 2), "Good prompting stays far from the target.", _FIRST),
    # F13 failure causes
    _w(
        "F13",
        "facts",
        (0, 3, -2),
        "Most failures are missing facts, which retrieval supplies and training doesn't.",
        _WHY,
    ),
    _w("F13", "behaviour", (0, -1, 2), "Most failures are wrong form, tone or label: what examples can teach.", _WHY),
    _w("F13", "instructions", (2, 0, -1), "Most failures come from unclear instructions: rewrite them first.", _WHY),
    _w("F13", "reference", (0, 0, -2), "Most 'failures' are wrong reference answers: repair the labels first.", _WHY),
    # F14, F15 work through their gates only
    _w(
        "F14",
        "set",
        (0, 0, 0),
        "Metric and target are set; gate G7 looks at when.",
        "OpenAI, Optimizing LLM accuracy [V]",
    ),
    _w(
        "F14",
        "metric only",
        (0, 0, 0),
        "A metric without a number can't be met or missed.",
        "OpenAI, Optimizing LLM accuracy [V]",
    ),
    _w(
        "F15",
        "split",
        (0, 0, 0),
        "A part of the data is kept aside; gate G4 looks at it.",
        "Practitioner report of a vanished gain [V]",
    ),
    _w(
        "F15",
        "own_file",
        (0, 0, 0),
        "An own test file is brought along; gate G4 looks at it.",
        "Practitioner report of a vanished gain [V]",
    ),
    _w(
        "F15",
        "no",
        (0, 0, 0),
        "Without rows kept aside nothing can be proved; gate G4 stays shut.",
        "Practitioner report of a vanished gain [V]",
    ),
    # F16 latency
    _w(
        "F16",
        "tight",
        (0, -1, 2),
        "A short prompt on a small model is what answers fastest.",
        "Azure, Google tuning guides [V]; AWS Nova [S]",
    ),
    _w("F16", "normal", (0, 0, 0), "Ordinary speed is enough.", "Azure, Google tuning guides [V]"),
    # F17 cost case
    _w("F17", "pass", (0, 0, 2), "The computed saving is larger than what the model costs to make and keep.", _COST),
    _w("F17", "fail", (1, 0, -2), "The computed saving doesn't pay for the model.", _COST),
    _w("F17", "not_goal", (0, 0, 0), "Cost is not the reason.", _COST),
    # F18 data location
    _w(
        "F18",
        "own_servers",
        (0, 0, 1),
        "Own servers mean open weights, which can be trained; they can be prompted just as well.",
        JUDGED,
    ),
    _w("F18", "approved_vendor", (0, 0, 0), "An approved vendor may see the text.", JUDGED),
    # F19 owner
    _w(
        "F19",
        "named",
        (0, 0, 1),
        "Somebody will re-test and re-train it.",
        "Founding text; Azure, fine-tuning considerations [V]",
    ),
    _w(
        "F19",
        "nobody",
        (1, 0, -2),
        "A model that nobody owns is stuck with its base model.",
        "Founding text; OpenAI retirements, notice of 7 May 2026 [V]",
    ),
    # F20 stability
    _w(
        "F20",
        "monthly",
        (2, 1, -2),
        "A prompt follows changing rules in minutes, a trained model in weeks.",
        "Anthropic, prompt engineering overview [V]",
    ),
    _w(
        "F20",
        "stable",
        (0, 0, 1),
        "The task holds still long enough to be learnt.",
        "Anthropic, prompt engineering overview [V]",
    ),
    # F21 prompt pressure
    _w(
        "F21",
        "heavy",
        (-1, 0, 2),
        "The winning prompt is long and is paid for on every call.",
        "Azure, when to use fine-tuning [V]; MSICL 2404.11018 [V]",
    ),
    _w("F21", "fine", (0, 0, 0), "The winning prompt has a moderate length.", "MSICL 2404.11018 [V]"),
    # F22 checker
    _w(
        "F22",
        "most",
        (2, 0, -1),
        "A schema or a rule would prevent most of the failures, at once and for nothing.",
        "Structured-output reports [S]",
    ),
    _w(
        "F22",
        "partly",
        (1, 0, 0),
        "A schema or a rule would prevent some of the failures.",
        "Structured-output reports [S]",
    ),
    _w("F22", "no", (0, 0, 1), "No checker would prevent these failures.", "Structured-output reports [S]"),
    # F23 stakes
    _w(
        "F23",
        "high",
        (0, 1, -1),
        "High stakes want answers that can be traced; training can weaken guardrails.",
        "QI 2310.03693 [V]; notes on the EU AI Act [S]",
    ),
    _w("F23", "normal", (0, 0, 0), "Ordinary stakes.", "QI 2310.03693 [V]"),
    # F24 language
    _w(
        "F24",
        "weak",
        (-1, 0, 1),
        "The model has seen little of this language or field; examples help more than words.",
        "Google tuning guide [V]; OpenAI's Icelandic case [V]",
    ),
    _w("F24", "fine", (0, 0, 0), "The model knows this language and field.", "Google tuning guide [V]"),
)

POLICY = Policy(version="1", weights=WEIGHTS, thresholds=THRESHOLDS)
