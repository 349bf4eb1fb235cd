"""What the worked example says, asks and orders: the founding text's "comments in our house style", on Python.

Everything here is given to the same forms that people fill in. The policy is the real one; nothing is left out or made
easier, and what comes out is shown as it was measured.
"""

from app.advice.schema import AnswersByKey
from app.demo import pairs
from app.json_types import JsonDict

TITLE = "Docstrings in our house style (worked example)"
TEAM = "Docs platform team"
NOTE = (
    "Made by the worked example. The rows are real signatures and docstrings, read from the Python packages that are "
    "installed here (torch, transformers, peft, accelerate) and brought to one short form by a program. Dana and Robin "
    "are its two accounts; nobody can sign in with them. Failed answers are tagged by a rule and not by a person: the "
    "check looks at nothing but form, so whatever fails it is put down to behaviour."
)

AUTHOR = ("Dana (demo)", "dana@demo.invalid")
REVIEWER = ("Robin (demo)", "robin@demo.invalid")

# Set before anything was measured: a tool that reviews code would take the form as given in three cases of four.
TARGET = 0.75

ANSWERS: AnswersByKey = {
    "goals": ["style", "format"],
    "main_goal": "style",
    "fact_change": "none",
    "sources": "no",
    "access_rights": "no",
    "corpus_tokens": 0,
    "rarity": "common",
    "examples_declared": 1500,
    "label_agreement": "high",
    "coverage": "broad",
    "recurrence": "ongoing",
    "calls_per_month": 20_000,
    "prompting_tried": "no",
    "metric": "pattern",
    "target": TARGET,
    "holdout": "split",
    "latency": "normal",
    "data_location": "own_servers",
    "owner": TEAM,
    "definition_changes": "stable",
    "checker_helps": "partly",
    "stakes": "normal",
    "language_fit": "fine",
    "training_rights": "yes",
}

METRIC_OPTIONS = {"pattern": pairs.PATTERN}

# The house style in full, as one would write it for a colleague.
INSTRUCTIONS = (
    "You write docstrings for Python functions in our house style. You get a signature and reply with the text of its "
    "docstring only: no code, no quotes.\n"
    'First one sentence that says what the function does. Then an empty line and the line "Args:". Under it one line '
    "for each parameter in the signature, in the same order, without self: four spaces, the name, a colon, one "
    "sentence that says what it means. No types, and no parameter that is not in the signature.\n"
    'If the signature returns something other than None: an empty line, the line "Returns:", and under it four spaces '
    "and one sentence that says what comes back. Then stop."
)

# After a look at the failures of the first round: invented and repeated parameters, `Returns:` in the wrong places.
REVISED = (
    "You write docstrings for Python functions in our house style. You get a signature and reply with the text of its "
    "docstring only.\n"
    'First one sentence that says what the function does. Then an empty line and the line "Args:". Copy the parameter '
    "names from the signature one after the other, from left to right, each exactly once, without self: four spaces, "
    "the name, a colon, one short sentence. Stop when the signature has no more parameters, and write none that is not "
    "in it.\n"
    'Only if the signature ends with "-> something" that is not None: an empty line, the line "Returns:", and under it '
    'four spaces and one short sentence. Then stop. Never write "Returns:" for a signature without "->".'
)

K_RANDOM, K_NEAREST = 3, 5
MAX_TOKENS = 104  # the longest reference has 101, and one ends it
# Samples of the frozen splits, so that the example ends in 25 minutes on two cores; the gate asks for 200 test rows.
DEV_ROWS, TEST_ROWS = 100, 200

RECIPE: JsonDict = {
    "epochs": 1,
    "learning_rate": 5e-4,
    "batch_rows": 8,
    "rank": 16,
    "alpha": 32,
    "evals_per_epoch": 2,
    "dev_rows": 50,
    "max_row_tokens": 512,
}
LAUNCH_KEY = "worked-example"
