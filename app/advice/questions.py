"""The questionnaire as data: 24 factors in sections, in words for people who don't train models.

Wording rule: no term of art in a question; it stands in `term`, which pages show as a tooltip. Every question that is
asked can be answered with "I don't know". Three factors are computed or measured (F13, F17, F21) and are shown as
information instead of being asked; F07, F08, F12 and F15 are asked and later replaced by what was measured.

Kinds: `multi` and `single` choose, `count` is a whole number, `percent` is asked in percent and kept as a share from 0
to 1, `text` is a line of text (where `nobody` is set, "nobody" is an answer of its own), `info` is not asked.
"""

from dataclasses import dataclass
from typing import Literal

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
    Choice("facts", "Know facts it does not know", "Our documents, prices, people"),
    Choice("format", "Always give the same shape", "A form, a template, fields a program reads"),
    Choice("style", "Sound like us", "Tone, style, voice"),
    Choice("terms", "Use our words right", "Jargon, abbreviations, product names"),
    Choice("classify", "Put things in categories", "Topics, urgency, teams"),
    Choice("extract", "Pull fields out of text", "Dates, amounts, names"),
    Choice("tools", "Call our tools or write our query language"),
    Choice("reasoning", "Reason through hard problems"),
    Choice("efficiency", "Same quality, cheaper or faster"),
    Choice("safety", "Refuse or guard better"),
    Choice("general", "General helper, nothing specific"),
)

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
                "Pick everything that applies, and mark what matters most. With a single one there is nothing to mark.",
                "Needs come in three kinds: missing knowledge, wrong behaviour, and cost.",
                GOAL_CHOICES,
            ),
            Question(
                "F01",
                "main_goal",
                "single",
                "Which matters most?",
                "One of those you picked above. If you picked only one, you may skip this.",
                "The main goal decides which evidence training would need.",
                GOAL_CHOICES,
            ),
            Question(
                "F22",
                "checker_helps",
                "single",
                "Would a simple checker catch the wrong answers?",
                "For example: the answer isn't valid, a required field is missing, a date has the wrong form.",
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
                "Is the language or the field one that the model is weak in?",
                "A rare language, or a trade with texts that are hardly on the web.",
                "Distribution shift: the base model has seen little text of this kind.",
                (Choice("fine", "No, it copes well"), Choice("weak", "Yes, one notices")),
            ),
        ),
    ),
    Section(
        "knowledge",
        "What it has to know",
        "Facts can be looked up or learnt, and learning them rarely works. These answers tell which need you have.",
        (
            Question(
                "F02",
                "fact_change",
                "single",
                "How often do the facts it needs change?",
                "Prices, stock, rules, people: the fastest of them counts.",
                "Freshness: what stands in the weights of a model can't be edited.",
                (
                    Choice("none", "It needs no outside facts", "Everything it needs stands in the question"),
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
                "Must the answer show where it came from?",
                "",
                "Citation: only a passage that was looked up can be cited.",
                (Choice("must", "It must"), Choice("nice", "Nice to have"), Choice("no", "No")),
            ),
            Question(
                "F04",
                "access_rights",
                "single",
                "Do different people have different rights to the information, or must single records be deletable?",
                "",
                "Access control and erasure: neither is possible for what a model has learnt.",
                (Choice("yes", "Yes"), Choice("some", "For a part of it"), Choice("no", "No")),
            ),
            Question(
                "F05",
                "corpus_tokens",
                "count",
                "How much reference text is there?",
                "In tokens: a page has about 400, a book about 100,000. Write 0 if there is none.",
                "Token: the piece of a word that models count in.",
                unit="tokens",
            ),
            Question(
                "F05",
                "context_window",
                "count",
                "How much text can your model read at once?",
                "Skip it if you don't know; 200,000 tokens are assumed.",
                "Context window: the most that fits in front of the model in one call.",
                unit="tokens",
            ),
            Question(
                "F06",
                "rarity",
                "single",
                "Are the questions about well-known things or rare ones?",
                "Rare: own part numbers, small customers, internal projects.",
                "Long tail: the rarer the fact, the more looking up beats learning.",
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
        "Pairs of an input and its ideal answer. What you say here is replaced by what the check counts in your file.",
        (
            Question(
                "F07",
                "examples_declared",
                "count",
                "How many finished pairs of input and ideal output do you have?",
                "A rough number will do. Repeats and contradictions are sorted out later.",
                "Training examples; below about 1,000 different ones a tuned model tends to memorise.",
                unit="pairs",
            ),
            Question(
                "F08",
                "label_agreement",
                "single",
                "If two of your experts did the same item, would they give the same answer?",
                "",
                "Inter-rater agreement, often given as Cohen's kappa.",
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
                "Coverage: what isn't in the examples won't be learnt.",
                (
                    Choice("broad", "Yes, the whole range"),
                    Choice("gaps", "There are gaps"),
                    Choice("skewed", "No: one-sided, or all made up"),
                ),
            ),
            Question(
                "F15",
                "holdout",
                "single",
                "May we put aside a part of your data that no prompt and no training ever sees?",
                "Only such rows can prove that anything got better.",
                "Held-out test set.",
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
                "Will this job keep running?",
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
                "About how many calls a month?",
                "One call is one question to the model. An order of magnitude is enough.",
                "Volume.",
                unit="calls",
            ),
            Question(
                "F16",
                "latency",
                "single",
                "How fast must one answer come?",
                "",
                "Latency: the time until the answer is there.",
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
        "success",
        "What is good enough",
        "Without a number nobody can say whether a prompt already does it.",
        (
            Question(
                "F14",
                "metric",
                "single",
                "How will you measure success?",
                "",
                "Metric: what turns an answer and the ideal answer into a score.",
                (
                    Choice("exact_match", "The answer is exactly the ideal one"),
                    Choice("normalised_match", "The same, ignoring case, spaces and what only dresses it"),
                    Choice("number_match", "It is the same number", "With a decimal sign and a tolerance that you set"),
                    Choice("pattern", "The parts that count are the same", "Found by a pattern you write"),
                    Choice("json_valid", "The answer has valid structure"),
                    Choice("json_match", "The answer has the same fields and values", "For JSON"),
                    Choice("chrf", "It is close to the ideal text, by letters", "For wording and translation"),
                    Choice("rouge_l", "It is close to the ideal text, by words", "For summaries"),
                ),
            ),
            Question(
                "F14",
                "target",
                "percent",
                "Which result is good enough?",
                "What does a wrong answer cost, and what is a right one worth? If a right one is worth 20 and a wrong "
                "one costs 80, you break even at 80 / (20 + 80) = 80 %.",
                "Target; it has to be set before anything is measured.",
                unit="%",
            ),
            Question(
                "F12",
                "prompting_tried",
                "single",
                "What did good instructions with a few examples reach?",
                "Your own experience so far. It is replaced by what we measure.",
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
        "upkeep",
        "Stakes and upkeep",
        "Somebody has to answer for a model, also after the one below it was retired.",
        (
            Question(
                "F19",
                "owner",
                "text",
                "Who tests again when the base model or the rules change?",
                "A person or a team.",
                "Owner: base models retire, and everything built on one has to be tested again.",
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
