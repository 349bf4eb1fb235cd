"""The questionnaire as data: 24 factors in sections, in words for people who don't train models.

Wording rule: the field's term is the label, plain words are the help. `term` says why we ask. Every question that is
asked can be answered with "I don't know". Three factors are computed or measured (F13, F17, F21) and are shown as
information instead of being asked; F07, F08, F12 and F15 are asked and later replaced by what was measured.

Kinds: `multi` and `single` choose, `count` is a whole number, `percent` is asked in percent and kept as a share from 0
to 1, `text` is a line of text (where `nobody` is set, "nobody" is an answer of its own), `info` is not asked.
"""

from dataclasses import dataclass
from typing import Literal

from app import glossary

Kind = Literal["multi", "single", "count", "percent", "text", "info"]


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    factor: str
    key: str
    kind: Kind
    label: str
    help: str = ""
    term: str = ""
    choices: tuple[Choice, ...] = ()
    unit: str = ""
    nobody: str = ""  # the label of the answer "there is none", where that differs from not knowing

    @property
    def asked(self) -> bool:
        return self.kind != "info"


@dataclass(frozen=True, slots=True)
class Section:
    slug: str
    title: str
    intro: str
    questions: tuple[Question, ...]

    @property
    def asked(self) -> tuple[Question, ...]:
        return tuple(question for question in self.questions if question.asked)


GOAL_CHOICES = (
    Choice("facts", "Answer from our own knowledge", "Our documents, prices, people"),
    Choice("format", "Follow an output format", "A form, a template, fields a program reads"),
    Choice("style", "Match our tone and style", "Tone, style, voice"),
    Choice("terms", "Use our terminology", "Jargon, abbreviations, product names"),
    Choice("classify", "Classify", "Topics, urgency, teams"),
    Choice("extract", "Extract fields", "Dates, amounts, names"),
    Choice("tools", "Tool calling or a query language (DSL)"),
    Choice("reasoning", "Reason through hard problems"),
    Choice("efficiency", "Same quality, cheaper or faster"),
    Choice("safety", "Safer refusals, guardrails"),
    Choice("general", "General helper, nothing specific"),
)


def _metric(name: str, help_text: str) -> Choice:
    return Choice(name, glossary.label(f"metric.{name}"), help_text)


SECTIONS = (
    Section(
        "goal",
        "What should get better",
        "Start with what bothers you today. Everything else follows from it.",
        (
            Question(
                "F01",
                "goals",
                "multi",
                "What should get better?",
                "Pick everything that applies, and mark the primary goal. If you pick one, it is the primary goal.",
                "Needs come in three kinds: missing knowledge, wrong behaviour, and cost.",
                GOAL_CHOICES,
            ),
            Question(
                "F01",
                "main_goal",
                "single",
                "Primary goal",
                "What matters most of those you picked above. If you picked only one, you may skip this.",
                "The main goal decides which evidence training would need.",
                GOAL_CHOICES,
            ),
            Question(
                "F22",
                "checker_helps",
                "single",
                "Could schema validation catch the errors?",
                "Would a simple checker find the wrong answers? For example: the answer isn't valid, a required "
                "field is missing, a date has the wrong form.",
                "Schema-constrained decoding: the model can only write what the schema allows.",
                (
                    Choice("most", "Yes, most of them"),
                    Choice("partly", "Some of them"),
                    Choice("no", "No, they look right and are wrong"),
                ),
            ),
            Question(
                "F24",
                "language_fit",
                "single",
                "Low-resource language or niche domain?",
                "One that the model is weak in: a rare language, or a trade with texts that are hardly on the web.",
                "Distribution shift: the base model has seen little text of this kind.",
                (Choice("fine", "No, it copes well"), Choice("weak", "Yes, quality is visibly worse")),
            ),
        ),
    ),
    Section(
        "success",
        "What is good enough",
        "Without a number nobody can say whether a prompt already does it.",
        (
            Question(
                "F14",
                "metric",
                "single",
                glossary.label("case.metric"),
                glossary.term("case.metric").help,
                "How you will measure success; it has to be set before anything is measured.",
                (
                    _metric("exact_match", "The output is exactly the expected answer"),
                    _metric("normalised_match", "The same, ignoring case, spaces and what only dresses it"),
                    _metric("number_match", "The same number, with a decimal sign and a tolerance that you set"),
                    _metric("pattern", "The parts that count are the same, found by a pattern you write"),
                    _metric("json_valid", "The output has valid structure"),
                    _metric("json_match", "The output has the same fields and values"),
                    _metric("json_schema", "The output keeps to a schema that you write"),
                    _metric("json_fields", "As many fields as possible have the expected values"),
                    _metric("sql_result", "The statement gives the same rows on a database that you upload"),
                    _metric("token_f1", "The same words, in any order; for short answers to questions"),
                    _metric("chrf", "Close to the expected text, by letters; for wording and translation"),
                    _metric("rouge_l", "Close to the expected text, by words; for summaries"),
                    _metric("docstring", "The docstring describes the same arguments, errors and return"),
                    _metric("length_limits", "The output is as long as you allow"),
                    _metric("format_check", "The output has the form that you ask for"),
                    _metric("refusal", "The output refuses only where it should"),
                    _metric(
                        "llm_judge", "An LLM judge passes it by your rubric, once people's labels show that it agrees"
                    ),
                    _metric("team_scorer", "A Python function of your team, added by an administrator"),
                ),
            ),
            Question(
                "F14",
                "target",
                "percent",
                glossary.label("case.target"),
                "Which result is good enough? What does a wrong answer cost, and what is a right one worth? If a "
                "right one is worth 20 and a wrong "
                "one costs 80, you break even at 80 / (20 + 80) = 80 %.",
                "Target; it has to be set before anything is measured.",
                unit="%",
            ),
            Question(
                "F12",
                "prompting_tried",
                "single",
                "How well does prompting work today?",
                "Good instructions with a few examples: your own experience so far. It is replaced by what we measure.",
                "Prompting: instructions and examples in front of the question.",
                (
                    Choice("no", "Not tried yet"),
                    Choice("met", "It met the target"),
                    Choice("unclear", "Cannot tell yet"),
                    Choice("short_small", "It fell short by less than 10 points"),
                    Choice("short_large", "It fell short by 10 points or more"),
                ),
            ),
            Question(
                "F13",
                "failure_causes",
                "info",
                "Why do the failures fail?",
                "You read about 30 failures after the measurement and say for each what is wrong.",
                "Error analysis: missing facts, wrong behaviour, unclear instructions, or a wrong reference.",
            ),
            Question(
                "F21",
                "winning_prompt_tokens",
                "info",
                "How long is your best prompt?",
                "Counted when the best prompt is known.",
                "Prompt pressure: every token of the prompt is paid for on every call.",
            ),
        ),
    ),
    Section(
        "knowledge",
        "What it has to know",
        "Facts can be retrieved (RAG) or learned, and learning them rarely works. These answers tell which need you "
        "have.",
        (
            Question(
                "F02",
                "fact_change",
                "single",
                "How often do the facts it needs change?",
                "Prices, stock, rules, people: the fastest of them counts.",
                "Freshness: what stands in the weights of a model can't be edited.",
                (
                    Choice("none", "It needs no outside facts", "Everything it needs is in the input"),
                    Choice("yearly", "About every year"),
                    Choice("monthly", "About every month"),
                    Choice("weekly", "About every week"),
                    Choice("daily", "Every day or every hour"),
                ),
            ),
            Question(
                "F03",
                "sources",
                "single",
                "Citations",
                "Must the answer show where it came from?",
                "Only a retrieved passage can be cited.",
                (Choice("must", "Required"), Choice("nice", "Nice to have"), Choice("no", "No")),
            ),
            Question(
                "F04",
                "access_rights",
                "single",
                "Per-user access or right to erasure?",
                "Do different people have different rights to the information, or must single records be deletable?",
                "Access control and erasure: neither is possible for what a model has learned.",
                (Choice("yes", "Yes"), Choice("some", "For a part of it"), Choice("no", "No")),
            ),
            Question(
                "F05",
                "corpus_tokens",
                "count",
                "Size of the knowledge base",
                "How much reference text there is, in tokens: a page has about 400, a book about 100,000. Write 0 if "
                "there is none.",
                "Token: the piece of a word that models count in.",
                unit="tokens",
            ),
            Question(
                "F05",
                "context_window",
                "count",
                "Context window",
                "How much text your model can read at once. Skip it if you don't know; 200,000 tokens are assumed.",
                "The most that fits in front of the model in one call.",
                unit="tokens",
            ),
            Question(
                "F06",
                "rarity",
                "single",
                "Are the questions about well-known things or rare ones?",
                "Rare: own part numbers, small customers, internal projects.",
                "Long tail: the rarer the fact, the more RAG beats learning.",
                (
                    Choice("common", "Well-known things"),
                    Choice("mixed", "Both"),
                    Choice("rare", "Rare things"),
                ),
            ),
        ),
    ),
    Section(
        "examples",
        "Examples you have",
        "Pairs of an input and its expected answer. What you say here is replaced by what the check counts in your "
        "file.",
        (
            Question(
                "F07",
                "examples_declared",
                "count",
                "Number of examples",
                "Finished pairs of an input and its expected answer. A rough number will do. Repeats and "
                "contradictions are sorted out later.",
                "Training examples; below about 1,000 different ones a tuned model tends to memorise.",
                unit="pairs",
            ),
            Question(
                "F08",
                "label_agreement",
                "single",
                "Inter-annotator agreement",
                "If two of your experts did the same item, would they give the same answer?",
                "Often given as Cohen's kappa. No model can be more right than your experts agree.",
                (
                    Choice("high", "Nearly always"),
                    Choice("medium", "Mostly"),
                    Choice("low", "Often not"),
                ),
            ),
            Question(
                "F09",
                "coverage",
                "single",
                "Do the examples look like what will really come in?",
                "",
                "Coverage: what isn't in the examples won't be learned.",
                (
                    Choice("broad", "Yes, the whole range"),
                    Choice("gaps", "There are gaps"),
                    Choice("skewed", "No: skewed or synthetic"),
                ),
            ),
            Question(
                "F15",
                "holdout",
                "single",
                "Hold out a test set?",
                "A part of your data that no prompt and no training ever sees. Only such rows can prove that "
                "anything got better.",
                "What was seen while choosing a prompt or training flatters the result.",
                (
                    Choice("split", "Yes, split it for me"),
                    Choice("own_file", "I bring my own test file"),
                    Choice("no", "No"),
                ),
            ),
        ),
    ),
    Section(
        "use",
        "How it will be used",
        "Volume and speed decide what an improvement is worth.",
        (
            Question(
                "F10",
                "recurrence",
                "single",
                "One-off or ongoing?",
                "",
                "One-off or service: a model that runs once doesn't repay its making.",
                (
                    Choice("once", "Once, then it is done"),
                    Choice("months", "For some months"),
                    Choice("ongoing", "It keeps running"),
                ),
            ),
            Question(
                "F11",
                "calls_per_month",
                "count",
                "Calls per month",
                "One call is one question to the model. An order of magnitude is enough.",
                "Volume.",
                unit="calls",
            ),
            Question(
                "F16",
                "latency",
                "single",
                "Latency requirement",
                "How fast one answer must come.",
                "A small tuned model may answer faster than a large one with a long prompt.",
                (
                    Choice("tight", "Under about half a second, or on a device"),
                    Choice("normal", "Normal; a few seconds are fine"),
                ),
            ),
            Question(
                "F17",
                "cost_case",
                "info",
                "Does it pay?",
                "Computed from the volume, the length of the prompt and your prices, once these are known.",
                "Break-even: the volume from which a trained model costs less than a longer prompt.",
            ),
            Question(
                "F18",
                "data_location",
                "single",
                "May the text leave your own servers?",
                "This decides where a model runs. It is no reason to train one.",
                "Data residency.",
                (
                    Choice("own_servers", "No, own servers only"),
                    Choice("approved_vendor", "Yes, to an approved vendor"),
                ),
            ),
        ),
    ),
    Section(
        "upkeep",
        "Stakes and upkeep",
        "Somebody has to answer for a model, also after the one below it was retired.",
        (
            Question(
                "F19",
                "owner",
                "text",
                "Owner",
                "A person or a team who re-evaluates when the base model or the policy changes.",
                "Base models retire, and everything built on one has to be tested again.",
                nobody="Nobody yet",
            ),
            Question(
                "F20",
                "definition_changes",
                "single",
                "How often do the labels, the format or the rules change?",
                "Think of the last six months.",
                "A prompt follows a new rule in minutes; a trained model has to be trained again.",
                (Choice("stable", "They are stable"), Choice("monthly", "Every month or more often")),
            ),
            Question(
                "G10",
                "training_rights",
                "single",
                "May these examples be used to train a model?",
                "Think of contracts, personal data, and the terms of a model that wrote some of the answers.",
                "Rights and privacy; asked again as a criterion before training.",
                (Choice("yes", "Yes"), Choice("no", "No")),
            ),
            Question(
                "F23",
                "stakes",
                "single",
                "Is it about health, law, credit, hiring, safety or children?",
                "",
                "High stakes add checks before a trained model may be used.",
                (Choice("high", "Yes"), Choice("normal", "No")),
            ),
        ),
    ),
)

QUESTIONS = tuple(question for section in SECTIONS for question in section.questions)
ASKED = {question.key: question for question in QUESTIONS if question.asked}
FACTORS = {question.factor: question for question in reversed(QUESTIONS)}


def section(slug: str) -> Section | None:
    return next((each for each in SECTIONS if each.slug == slug), None)
