"""The shapes an uploaded record may have. Which one it has is seen from its keys alone.

A file is named after the shape of its first record. Shapes of others that we know but can't use as they are (preference
pairs, plain passages) are called by their name, so that the person knows what to choose or to change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.datasets.reading import test_cases, turns
from app.datasets.reading.columns import TIMES
from app.datasets.reading.faults import Unfit
from app.datasets.reading.read_as import column_name
from app.json_types import JsonDict, JsonObject
from app.wording import state


@dataclass(frozen=True, slots=True)
class Shape:
    """A known record shape. `about` says in one sentence what is done with it."""

    name: str
    title: str
    about: str


PROMPT = Shape("prompt_completion", "Prompt and completion", "Each record has a prompt and its completion.")
CHAT = Shape(
    "chat",
    "Chat messages",
    "The last assistant message is the completion; everything before it is the prompt.",
)
ALPACA = Shape(
    "alpaca", "Instruction, input and output", "Instruction and input are the prompt, the output the completion."
)
SHAREGPT = Shape(
    "sharegpt", "Conversations", "The last answer of gpt is the completion; everything before it is the prompt."
)
COLUMNS = Shape("columns", "Columns of your choice", "One column is the prompt, another the completion.")
LABELLED = Shape("text_label", "Text and label", "The text is the prompt, the label the completion.")
PAIRS = {
    ("question", "answer"): Shape(
        "question_answer", "Question and answer", "The question is the prompt, the answer the completion."
    ),
    ("query", "response"): Shape(
        "query_response", "Query and response", "The query is the prompt, the response the completion."
    ),
    ("input", "output"): Shape(
        "input_output", "Input and output", "The input is the prompt, the output the completion."
    ),
    ("input", "expectedOutput"): Shape(
        "input_expected",
        "Input and expected output",
        "The input is the prompt, the expected output the completion.",
    ),
    ("instruction", "response"): Shape(
        "instruction_response",
        "Instruction and response",
        "The instruction is the prompt, the response the completion.",
    ),
    ("text", "label"): LABELLED,
    ("prompt", "response"): Shape(
        "prompt_response", "Prompt and response", "The prompt is the prompt, the response the completion."
    ),
    ("question", "response"): Shape(
        "question_response", "Question and response", "The question is the prompt, the response the completion."
    ),
    ("question", "ground_truth"): Shape(
        "question_truth",
        "Question and ground truth",
        "The question is the prompt, the ground truth the completion.",
    ),
    ("user_input", "reference"): Shape(
        "input_reference",
        "User input and reference",
        "The user's input is the prompt, the reference the completion.",
    ),
    ("input", "expected_output"): Shape(
        "input_expected_output",
        "Input and expected output",
        "The input is the prompt, the expected output the completion.",
    ),
    ("input", "expected"): Shape(
        "input_wanted", "Input and expected", "The input is the prompt, expected the completion."
    ),
    ("text_input", "output"): Shape(
        "text_output", "Text input and output", "The input is the prompt, the output the completion."
    ),
}
PROMPTFOO = Shape(
    "promptfoo",
    "promptfoo test cases",
    "The variables is the prompt, the answer that has to be equal the completion.",
)
MLFLOW = Shape("mlflow", "MLflow test cases", "The inputs are the prompt, the expected response is the completion.")
# In the order in which a file is tried for them.
SHAPES = {shape.name: shape for shape in (CHAT, PROMPT, ALPACA, SHAREGPT, PROMPTFOO, MLFLOW, *PAIRS.values(), COLUMNS)}
PAIR_OF = {shape.name: pair for pair, shape in PAIRS.items()} | {"prompt_completion": ("prompt", "completion")}
# The keys that make a record of a shape; the first that fits.
_BY_KEYS: tuple[tuple[set[str], Shape], ...] = (
    ({"messages"}, CHAT),
    ({"prompt", "completion"}, PROMPT),
    ({"instruction", "output"}, ALPACA),
    ({"conversations"}, SHAREGPT),
    ({"vars", "assert"}, PROMPTFOO),
    ({test_cases.EXPECTED}, PROMPTFOO),
    ({f"{test_cases.EXPECTED}1"}, PROMPTFOO),
    ({"inputs", "expectations"}, MLFLOW),
    *((set(pair), shape) for pair, shape in PAIRS.items()),
)

# Shapes we can name but not use, by the keys that give them away.
_FOREIGN = (
    ({"prompt", "chosen", "rejected"}, "preferences"),
    ({"chosen", "rejected"}, "preferences_alone"),
    ({"conversation_a", "conversation_b"}, "arena"),
    ({"preferred_output"}, "preferred_output"),
    ({"custom_id"}, "batch_line"),
    ({"annotations", "data"}, "label_studio"),
    ({"inputs", "outputs"}, "inputs_outputs"),
    ({"vars"}, "no_assert"),
)
_PASSAGE = frozenset({"id", "_id", "text", "title", "source", "url", "metadata", "meta", "split", "group", *TIMES})


def tidy_keys(record: JsonObject) -> JsonDict | None:
    """The record with its keys trimmed and in lower case, or None where that changes nothing or makes two alike."""
    if all(key == column_name(key) for key in record):
        return None
    tidy = {column_name(key): value for key, value in record.items()}
    return tidy if len(tidy) == len(record) else None


def shape_of(keys: JsonObject | Sequence[str]) -> Shape | None:
    """Which shape a record with these keys has, or None."""
    have = keys.keys() if isinstance(keys, Mapping) else set(keys)
    return next((shape for wanted, shape in _BY_KEYS if wanted <= have), None)


def why_unknown(record: JsonObject) -> Unfit:
    """Say what a record of no known shape lacks, as precisely as its keys allow."""
    have = set(record)
    if not have:
        return Unfit("", state("object_empty"))
    for keys, shape in _FOREIGN:
        if keys <= have:
            return Unfit(min(keys), state("shape_of_others", shape=shape))
    turns.refuse_media(record)
    if "text" in have:
        return Unfit("text", state("text_alone" if have <= _PASSAGE else "no_label"))
    for question, answer in (("prompt", "completion"), ("instruction", "output"), *PAIRS):
        if question in have:
            return Unfit(answer, state("half_a_pair", has=question, lacks=answer))
        if answer in have and answer not in ("input", "text", "label"):
            return Unfit(question, state("half_a_pair", has=answer, lacks=question))
    return Unfit("", state("unknown_keys", keys=sorted(key[:40] for key in list(have)[:4])))
