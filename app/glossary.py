"""The product's terms: for each key the field's word as its label, plain words as its help, the unit of its numbers.

Forms, tables, reviews, the model card and the descriptions of the API ask here, so one key has one label wherever it is
read. Keys are `kind.name`, where the name is what is stored and sent: a setting of a training config
(`recipe.epochs`), a metric (`metric.exact_match`), a kind of variant (`variant.zero_shot`), rows (`rows.dev`), or what
is said of a row (`row.expected`). A label changes nothing that is stored, sent or approved.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Term:
    """One term. label: as people of the field call it; help: what it is, in plain words."""

    key: str
    label: str
    help: str = ""
    unit: str = ""

    @property
    def kind(self) -> str:
        return self.key.partition(".")[0]


TERMS: tuple[Term, ...] = (
    # How a LoRA adapter is trained.
    Term("recipe.model_id", "Base model", "The model that stays as it is; the adapter is trained beside it."),
    Term("recipe.epochs", "Epochs", "Passes over the training set."),
    Term("recipe.learning_rate", "Learning rate", "How far each step moves the weights."),
    Term("recipe.batch_rows", "Batch size", "Rows that one optimizer step learns from.", "rows"),
    Term("recipe.rank", "LoRA rank (r)", "Size of the adapter: more rank, more numbers that learn."),
    Term("recipe.alpha", "LoRA alpha", "Weight of the adapter beside the model; counts in relation to the rank."),
    Term("recipe.scaling", "LoRA scaling", "What the adapter's output is multiplied by."),
    Term("recipe.targets", "Target modules", "Which layers of the model get an adapter."),
    Term("recipe.max_steps", "Max steps", "Stops the run after so many optimizer steps.", "steps"),
    Term("recipe.schedule", "LR schedule", "How the learning rate changes over the run."),
    Term("recipe.warmup", "Warmup ratio", "Share of all steps in which the learning rate rises from zero."),
    Term("recipe.dropout", "Dropout", "Share of the adapter's inputs that is left out at random in each step."),
    Term("recipe.weight_decay", "Weight decay", "Pulls the adapter's weights towards zero in each step."),
    Term("recipe.clip", "Max gradient norm", "A larger gradient is scaled down to this."),
    Term("recipe.evals_per_epoch", "Evaluations per epoch", "How often the loss is measured on the dev set."),
    Term(
        "recipe.patience", "Early-stopping patience", "Stops after so many evaluations without a gain.", "evaluations"
    ),
    Term("recipe.min_gain", "Early-stopping min delta", "The smallest drop of dev loss that counts as a gain.", "nats"),
    Term("recipe.dev_rows", "Evaluation rows", "Rows of the dev set on which the loss is measured.", "rows"),
    Term("recipe.max_row_tokens", "Max sequence length", "The longest row, prompt and answer together.", "tokens"),
    Term("recipe.precision", "Precision", "The kind of numbers to compute with."),
    Term(
        "recipe.checkpointing", "Gradient checkpointing",
        "Computes parts of each pass twice instead of keeping them: less memory, more time.",
    ),
    Term(
        "recipe.pass_tokens", "Tokens per pass", "The most that goes through the model at once, with padding.", "tokens"
    ),
    Term("recipe.kernels", "Kernels", "Whose programs compute the layers on a GPU; results differ by rounding only."),
    Term("recipe.seed", "Seed", "Decides the order of rows and the first weights."),
    Term("recipe.launcher", "Launcher", "What starts the trainer, and where."),
    Term("recipe.processes", "Processes", "How many share the rows of each step; one for each device (GPU)."),
    Term("recipe.base_weights", "Base weights", "Whether each device holds the whole base model or a part of it."),
    Term("recipe.max_minutes", "Time limit", "Ends a run that takes longer.", "minutes"),
    Term("recipe.sweep", "Learning-rate sweep", "Trains with several rates and takes the best one on the dev set."),
    Term("recipe.seeds", "Seeds", "Trainings that differ in nothing but chance: how much of a result is luck."),
    Term("recipe.curve", "Learning curve", "Trains on parts of the training set: whether more rows would help."),
    Term("recipe.stop_by", "Early stopping by", "What says which checkpoint is the best one."),
    Term("recipe.scored_rows", "Rows answered per evaluation", "Dev rows that are answered and scored.", "rows"),
    Term("recipe.replay", "Replay ratio", "Share of general rows mixed in against forgetting, 0 to 0.5."),
    Term("recipe.replay_set", "Replay rows", "What is mixed in: general rows, or refusals of harmful requests, too."),
    # What has to hold of an adapter besides its score.
    Term("release.forgetting", "Forgetting", "Whether it still answers general questions as the base model does."),
    Term("release.refusing", "Refusals", "Whether it still declines harmful requests, and answers harmless ones."),
    Term("release.by_heart", "Memorization", "Whether it is much better on training rows, or copies long pieces."),
    Term("release.changing", "Adapter applied", "Whether its answers differ from the base model's at all."),
    Term("serving.device", "Device", "What models here compute on: TUNEGATE_DEVICE, as in baselines and training."),
    Term("merged.model", "Merged model", "The adapter written into its base model, for servers that take no adapters."),
    Term("merged.base", "Base precision", "Rounded once, to the precision of the base model's files."),
    Term("merged.float32", "32 bits", "Not rounded: for comparing, and for going on from it."),
    Term("merged.gguf", "GGUF", "One file with tokenizer and chat template in it, for llama.cpp and Ollama."),
    Term("release.slices", "Slices", "Whether a part of the test rows got worse: a label, length, language or group."),
    # How an answer is scored.
    Term(
        "metric.exact_match",
        "Exact match",
        "Right when the output is the expected answer, character by character. Blank space at both ends does not "
        "count.",
    ),
    Term(
        "metric.normalised_match",
        "Normalized match",
        "Right when the texts are the same once capitals, blank space, look-alike characters and what only dresses "
        "it are ignored: quotation marks, bold, brackets, a full stop. Signs that mean something count: -1 is not 1, "
        "C# is not C. Good for labels and short answers.",
    ),
    Term(
        "metric.number_match",
        "Number match",
        "Right when the output is one number and it is the expected one, with the same unit, within a tolerance that "
        "you set. Thousands may be grouped.",
    ),
    Term(
        "metric.pattern",
        "Regex match",
        "A regular expression of yours picks what matters, for example section headings and parameter names. Right "
        "when the output holds the same findings in the same order as the expected answer: nothing missing, nothing "
        "invented. With groups, only the groups are compared.",
    ),
    Term(
        "metric.json_match",
        "JSON match",
        "Right when the output is JSON and says the same as the expected JSON. Blank space and the order of keys do "
        "not count.",
    ),
    Term(
        "metric.json_valid",
        "Valid JSON",
        "Right when the output can be read as JSON, whatever it says. It shows form only: look at another metric for "
        "content.",
    ),
    Term(
        "metric.json_schema",
        "JSON by schema",
        "Right when the output is JSON that keeps to a JSON schema of yours: keys, kinds of values, formats. It shows "
        "form only: look at another metric for content.",
    ),
    Term(
        "metric.json_fields",
        "JSON field by field",
        "Share of the expected fields whose value the output has, from 0 to 100 %. Fields of objects inside count "
        "each, a list is one value. A table shows right, wrong, missing and extra for each field.",
    ),
    Term(
        "metric.sql_result",
        "SQL result",
        "Both statements run on a database that you upload, and their results are compared: the same rows, as often; "
        "the same order only where the expected statement orders. Read only, with limits on time, memory and rows.",
    ),
    Term(
        "metric.team_scorer",
        "Team's scorer",
        "A Python function of your team scores each output from 0 to 100 %. An administrator adds it; it runs in a "
        "child process that can open no file and reach no network.",
    ),
    Term(
        "metric.llm_judge",
        "LLM judge",
        "A language model says of each output whether it passes your rubric. It may decide only where its agreement "
        "with people's labels (kappa) reaches the policy's threshold; scores are corrected by these labels.",
    ),
    Term(
        "metric.token_f1",
        "Token F1",
        "Words that output and expected answer share, whatever their order, as in SQuAD: small letters, without "
        "punctuation and English articles, from 0 to 100 %. Where a script has no blanks, each character counts. Usual "
        "for short answers to questions. Signs do not count: -1 is 1.",
    ),
    Term(
        "metric.docstring",
        "Docstring sections",
        "Right when the sections of a Python docstring agree with the expected one: the same arguments, the same "
        "errors, a return described or not. Google, NumPy and reST style are read; no code is run.",
    ),
    Term(
        "metric.length_limits",
        "Length limits",
        "Right when the output is neither longer nor shorter than you allow, in characters or words. It shows form "
        "only: look at another metric for content.",
    ),
    Term(
        "metric.format_check",
        "Format check",
        "Right when the output has the form that you ask for: how it starts and ends, its lines, a bullet list, one "
        "sentence, no Markdown. It shows form only: look at another metric for content.",
    ),
    Term(
        "metric.refusal",
        "Refusals",
        "Right when the output refuses only where the expected answer does, by phrases in several languages that are "
        "listed. Where no expected answer refuses, 100 % minus the score is the refusal rate.",
    ),
    Term(
        "metric.chrf",
        "chrF",
        "Character overlap: how many short character sequences the output shares with the expected answer, from 0 to "
        "100 %. Forgives other endings and works for every language; says nothing about truth.",
    ),
    Term(
        "metric.rouge_l",
        "ROUGE-L",
        "Word overlap in order: the longest run of words, gaps allowed, that output and expected answer share in the "
        "same order, from 0 to 100 %. Usual for summaries; says nothing about truth. For writing without spaces "
        "between words, chrF is the better choice.",
    ),
    # Ways to answer that are measured.
    Term("variant.zero_shot", "Zero-shot", "The model gets the system prompt and the question, nothing else."),
    Term(
        "variant.few_shot_random",
        "Few-shot, random",
        "Finished examples stand before the question, the same for every question.",
    ),
    Term(
        "variant.few_shot_nearest",
        "Few-shot, nearest",
        "Retrieved examples: those most like the question stand before it.",
    ),
    Term(
        "variant.revised_prompt",
        "Revised prompt",
        "A new system prompt after a look at the failures, with the examples of the best variant so far.",
    ),
    Term(
        "variant.optimised_prompt",
        "Optimized prompt",
        "A system prompt found by an optimizer that reads failures on the training set and chooses on the dev set.",
    ),
    Term("variant.schema", "Constrained decoding", "The model can only write what a schema allows."),
    Term("constraint.json_schema", "JSON schema", "The answer is JSON with these keys and kinds of values."),
    Term("constraint.regex", "Regular expression", "The whole answer matches this expression."),
    Term("constraint.labels", "Label list", "The answer is one of these labels, exactly as written."),
    Term(
        "variant.label_scoring",
        "Label scoring",
        "The model writes nothing: the probability of each label after the prompt decides.",
    ),
    Term("variant.rag", "RAG", "Passages retrieved from your documents stand before the question."),
    Term("variant.oracle", "Oracle retrieval", "The gold passage is given: the most that RAG could reach."),
    Term("variant.whole_corpus", "Whole corpus in the prompt", "All documents stand before the question."),
    Term("variant.many_shot", "Many-shot", "As many examples as fit stand before the question."),
    Term(
        "variant.trivial",
        "No-LLM baseline",
        "What no language model reaches: an answer is copied from the training set.",
    ),
    Term(
        "variant.small_classifier",
        "Small classifier (no LLM)",
        "TF-IDF of characters with logistic regression, trained on the training set; no language model.",
    ),
    Term(
        "variant.embedding_classifier",
        "Embedding classifier (no LLM)",
        "Logistic regression on sentence embeddings, trained on the training set; no text is generated.",
    ),
    Term("variant.stronger_model", "Stronger model", "A larger model with the same prompt."),
    Term(
        "variant.adapter",
        "LoRA adapter",
        "The tuned model with the system prompt of the best variant and no examples.",
    ),
    # Rows, and what is said of one.
    Term("rows.train", "Training set", "Rows that examples are drawn from and an adapter learns from.", "rows"),
    Term("rows.dev", "Dev set", "Rows that choose between prompts and stop a training in time.", "rows"),
    Term("rows.test", "Test set", "Rows for evaluation only; nothing learns from them and nothing is chosen by them.",
         "rows"),
    # How documents are searched for passages.
    Term("retrieval.lexical", "Lexical search", "Passages with the words of the question, weighed by BM25."),
    Term("retrieval.embedding", "Embedding search", "Passages that mean something alike, by the cosine of embeddings."),
    Term("retrieval.hybrid", "Hybrid search", "Both rankings made one, by reciprocal rank."),
    Term("retrieval.size", "Passage size", "How long a passage may be.", "tokens"),
    Term("retrieval.overlap", "Overlap", "What a passage repeats of the one before it.", "tokens"),
    # How passages are found, and the numbers that say how well.
    Term("retrieval.gold", "Gold passage", "The passage that the answer of a row stands in."),
    Term(
        "retrieval.recall",
        "Recall@k",
        "Share of the rows with a gold passage among the first k that were retrieved.",
        "%",
    ),
    Term(
        "retrieval.mrr",
        "MRR@10",
        "Mean reciprocal rank: 1 where a gold passage comes first, 1/2 where it comes second, 0 where it is not among "
        "the first ten; the mean of the rows.",
    ),
    Term("row.expected", "Expected answer", "What your data says the answer should be."),
    Term("row.output", "Model output", "What the model wrote."),
    # What a contributor worked on, by the names that are kept of it.
    Term("work.created", "created the assessment", "Created it."),
    Term("work.measure", "baselines", "Ran baselines."),
    Term("work.judge", "LLM judge", "Wrote its rubric, started it or labelled answers for it."),
    Term("work.recipe", "training config", "Saved the training config."),
    # Criteria of the gate; the policy's own titles are part of its hash and stay as they are.
    Term("gate.G1", "Enough usable examples", "Rows to learn from, counted in the uploaded file."),
    Term("gate.G2", "The goal is not to add knowledge", "Facts belong into RAG, not into weights."),
    Term("gate.G3", "Ongoing, not a one-off", "The task keeps running after the first batch."),
    Term("gate.G4", "Held-out test set", "Rows that nothing learns from and nothing is chosen by."),
    Term("gate.G5", "Prompting tried first", "Prompt baselines were run and revised after reading failures."),
    Term("gate.G6", "Best prompt misses the target", "A prompt that reaches the target needs no training."),
    Term("gate.G7", "Metric and target set first", "Set before the first result was seen."),
    Term("gate.G8", "The labels agree", "Two people would give the same answer to the same row."),
    Term("gate.G9", "Failures are format or label errors", "What training mends: format, tone, labels; not missing "
         "facts."),
    Term("gate.G10", "Rights and privacy", "You may train on these rows, and personal data in them was decided on."),
    Term("gate.G11", "Owner assigned", "Somebody re-evaluates when the model or the policy changes."),
    Term("gate.G12", "Pays back", "What training saves covers what it costs, or quality is worth it."),
    # Thresholds of the policy that have a name of the field; the others are called as the policy calls them.
    Term("threshold.examples_few", "Examples: few (below)", "Fewer usable examples than this are few.", "examples"),
    Term("threshold.examples_pilot", "Examples: pilot (from)", "Enough for a pilot.", "examples"),
    Term("threshold.examples_plenty", "Examples: plenty (from)", "More than enough to begin.", "examples"),
    Term("threshold.target_grace", "Tolerance", "How far below the target still counts as reaching it.", "points"),
    Term("threshold.oracle_gain", "Oracle-retrieval gain", "What the gold passage in the prompt adds to the score.",
         "points"),
    Term("threshold.contradiction_rate", "Contradiction rate", "Share of rows whose twins have another answer.", "%"),
    Term(
        "threshold.kappa",
        "Inter-annotator agreement (from)",
        "Cohen's kappa of two people, or of an LLM judge and a person, at least.",
    ),
    Term("threshold.kappa_high", "Inter-annotator agreement: high (from)", "Cohen's kappa that counts as high."),
    Term("threshold.tagged_failures", "Tagged failures (from)", "Failures that people have read.", "failures"),
    Term("threshold.behaviour_share", "Format or label errors (from)", "Share of the tagged failures.", "%"),
    Term("threshold.facts_share", "Missing facts (up to)", "Share of the tagged failures.", "%"),
    Term("threshold.instructions_share", "Unclear instructions (up to)", "Share of the tagged failures.", "%"),
    Term("threshold.reference_share", "Wrong reference answers (up to)", "Share of the tagged failures.", "%"),
    Term("threshold.months_ahead", "Time horizon", "Months that costs are added up over.", "months"),
    Term("threshold.calls_few", "Calls a month: few (below)", "Fewer calls than this are few.", "calls"),
    Term("threshold.calls_many", "Calls a month: many (from)", "From here on the volume speaks for training.", "calls"),
    Term("threshold.calls_huge", "Calls a month: very many (from)", "From here on it speaks for it strongly.", "calls"),
    Term("threshold.context_window", "Context window", "Tokens that a model reads at once.", "tokens"),
    # What a recommendation rests on.
    Term("approach.prompt", "Prompt", "Better instructions and examples in front of the question."),
    Term("approach.rag", "RAG", "Retrieval-augmented generation: passages from your documents stand in the prompt."),
    Term("approach.fine_tune", "Fine-tune", "A LoRA adapter, trained on your examples."),
    Term("case.metric", "Metric", "What turns a model output and the expected answer into a score."),
    Term("case.target", "Target score", "The score from which on the result is good enough.", "%"),
    Term("case.constraint", "Output constraint", "What an answer may look like; the model can write nothing else."),
    Term("case.judge", "LLM judge", "A language model that says of each answer whether it passes, by your rubric."),
    Term("case.rubric", "Rubric", "What an answer has to do to pass: one question with two answers, in your words."),
    Term("case.variant", "Variant", "One way to answer that is measured: a prompt, a baseline without an LLM, or the "
         "adapter."),
    Term("case.system_prompt", "System prompt", "The instructions that stand before every question."),
)  # fmt: skip

BY_KEY: Mapping[str, Term] = {term.key: term for term in TERMS}


def term(key: str) -> Term:
    """The term of that key.

    Raises:
        KeyError: there is none; a page that names one has to be put right.
    """
    return BY_KEY[key]


def label(key: str) -> str:
    """What to call it."""
    return BY_KEY[key].label


def with_unit(key: str) -> str:
    """The label of a field for a number, `Time limit (minutes)`; one that names its unit has it: `Max steps`."""
    one = BY_KEY[key]
    return one.label if one.unit.lower() in one.label.lower() else f"{one.label} ({one.unit})"


def named(key: str, otherwise: str) -> str:
    """The label of a key that may have none; then what its owner calls it."""
    one = BY_KEY.get(key)
    return one.label if one else otherwise


def known(kind: str, name: str) -> str:
    """The label of a stored name of that kind; a name that is not of today is shown as it is stored."""
    one = BY_KEY.get(f"{kind}.{name}")
    return one.label if one else name.replace("_", " ")


_OWN_NAMES = {"nearest_answer": "Nearest neighbour (no LLM)", "majority_answer": "Majority class (no LLM)"}
_NUMBERED = re.compile(r"(revised_prompt|optimised_prompt|adapter)/(\d+)(?:/seed-(\d+))?")
_DRAWN = re.compile(r"few_shot_random/(?:k\d+/)?(\d+)")
_BY_OTHERS = re.compile(r"stronger_model/\d+/(zero_shot|best)")
_RETRIEVING = re.compile(r"rag/(lexical|embedding|hybrid)(?:/\d+)?")


Settings: TypeAlias = Mapping[str, Any]
"""Of an arm, as JSON; `baselines/arms.py` has their types, above this file."""


def variant(name: str, settings: Settings | None = None, title: str = "") -> str:
    """What to call one variant: `Few-shot, 3 random (sample 1)`, `Prompt v2`.

    A measurement keeps the title that its variants had when it was made, and what was approved holds it; pages work
    the label out from the name, so that old and new ones read alike. title: for a name that is not of today.
    """
    known = settings or {}
    if name in _OWN_NAMES:
        return _OWN_NAMES[name]
    if special := _with_examples(name, known) or _retrieving(name, known) or _by_another_model(name, known):
        return special
    if parts := _NUMBERED.fullmatch(name):
        family, number, seed = parts.group(1), int(parts.group(2)), parts.group(3)
        if family == "adapter":
            return f"{label('variant.adapter')}, run {number}" + (f", seed {seed}" if seed else "")
        return f"Prompt v{number + 1}{' (optimizer)' if family == 'optimised_prompt' else ''}"
    if (examples := known.get("k")) and name.startswith("schema/"):
        return f"{label('variant.schema')}, {examples} {name.partition('/')[2]}"
    one = BY_KEY.get(f"variant.{name}")
    return one.label if one else title or name


def _with_examples(name: str, settings: Settings) -> str:
    """`Few-shot, 3 random (sample 1)`, `Few-shot, 5 nearest`, `Many-shot, 120 examples`; empty for others."""
    examples = settings.get("k")
    if parts := _DRAWN.fullmatch(name):
        return f"Few-shot, {f'{examples} ' if examples else ''}random (sample {int(parts.group(1))})"
    if name == "label_scoring/nearest":
        return f"{label('variant.label_scoring')}, {examples} nearest"
    if name.startswith("embedding_classifier/"):
        return f"{label('variant.embedding_classifier')}, {settings.get('embedder', {}).get('name') or 'other model'}"
    if name.startswith("few_shot_nearest/"):
        return f"Few-shot, {examples} nearest by {settings.get('embedder', {}).get('name') or 'embedding'}"
    if not examples:
        return ""
    return {"few_shot_nearest": f"Few-shot, {examples} nearest", "many_shot": f"Many-shot, {examples} examples"}.get(
        name, ""
    )


def _by_another_model(name: str, settings: Settings) -> str:
    """`Zero-shot on Qwen 72B`; empty for what the run's own model answers."""
    if not (parts := _BY_OTHERS.fullmatch(name)):
        return ""
    prompt = label("variant.zero_shot") if parts.group(1) == "zero_shot" else "Best prompt"
    return f"{prompt} on {settings.get('model_as', {}).get('name', 'another model')}"


def _retrieving(name: str, settings: Settings) -> str:
    """`RAG, hybrid, 5 passages`; empty for what retrieves nothing."""
    if not (parts := _RETRIEVING.fullmatch(name)):
        return ""
    passages = (settings.get("passages") or {}).get("k")
    return f"{label('variant.rag')}, {parts.group(1)}{f', {passages} passages' if passages else ''}"


# Sentences of the policy and of its criteria are part of what was hashed and approved, so they stay as they are stored;
# pages say them in the words of today. In this order: the longer form first.
_TODAY = tuple(
    (re.compile(rf"\b{before}(?!\w)"), after)
    for before, after in (
        ("looked-up (?:text|passages)", "retrieved passages"),
        ("Giving the right passage", "The gold passage"),
        ("Asking with the right passage", "Oracle retrieval"),
        ("the right passage given", "oracle retrieval"),
        ("the right passage", "the gold passage"),
        ("Look the facts up", "Use RAG for the facts"),
        ("Look facts up first", "Use RAG first"),
        ("look things up", "use RAG"),
        ("looking things up", "RAG"),
        ("Looking things up", "RAG"),
        ("Look things up", "Use RAG"),
        ("Looked-up passages", "Retrieved passages"),
        ("answer anew", "answer again"),
        ("dearer", "more expensive"),
        ("looking up works", "RAG works"),
        ("have to be looked up", "need RAG"),
        ("nothing to look up", "nothing to retrieve"),
        ("is looked up", "needs RAG"),
        ("was looked up", "was retrieved"),
        ("written instructions alone", "zero-shot"),
        ("instructions with random examples", "few-shot, random"),
        ("instructions with the nearest examples", "few-shot, nearest"),
        ("answers held to a schema", "constrained decoding"),
        ("many examples in the prompt", "many-shot"),
        ("a trivial rule", "the baseline without an LLM"),
        ("the best arm's answers", "the best variant's outputs"),
        ("Best arm", "Best prompt"),
        ("arms", "variants"),
        ("arm", "variant"),
        (r"Keep at least ([\d,]+) rows aside", r"Hold out at least \1 rows"),
        ("(?:kept|set) aside", "held out"),
        ("rows put aside", "rows held out"),
        ("You said that", "Self-reported:"),
        (r"You said(?= \d)", "Self-reported:"),
        ("You said it runs once, but also", "It runs once, but expects"),
        (r"(\w+), you said(?=[.;,])", r"\1 (self-reported)"),
        ("Nobody said yet what", "Not answered yet: what"),
        ("Nobody said", "Not answered:"),
        ("nobody said whether people checked them", "not answered whether people checked them"),
        ("learnt", "learned"),
    )
)

# How the criterion of metric and target begins: with the stored name of the metric. Then numbers as pages write them.
_AGAINST = re.compile(r"^(\w+), (target \d)")
_WHOLE = re.compile(r"target (\d+)\.0 %")
_BETWEEN = re.compile(r"(\d+\.\d)-(\d+\.\d) %")


def todays(text: str) -> str:
    """A stored sentence of ours in the words of today. Only for sentences of the policy and its criteria: a stranger's
    text is never changed."""
    for before, after in _TODAY:
        text = before.sub(after, text)
    text = _AGAINST.sub(lambda found: f"{known('metric', found[1])}, {found[2]}", text)
    return _BETWEEN.sub(r"\1 to \2 %", _WHOLE.sub(r"target \1 %", text))
