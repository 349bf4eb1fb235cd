"""What changed between two texts, what a reply is worth, and whether it has rows in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.baselines import shots
from app.baselines.asking import Preparation
from app.baselines.prompts import Passage
from app.chat import Message
from app.datasets.store import Example
from app.inference.generator import Answer, Finish
from app.instructions import copies, difference, replies, views
from app.instructions.budget import Spent
from app.instructions.copies import Copies, RowText
from app.instructions.models import Outcome, Task
from app.instructions.replies import Refused
from app.instructions.tables import OptimisationRow
from app.scoring import scores
from tests.support.scripted import Scripted

TEXTS = st.text(alphabet="ab \n.", max_size=60)


def answer(text: str, finish: Finish = "stop") -> Answer:
    return Answer("critic", text, finish, 1, 1, 0.0)


@given(TEXTS, TEXTS)
def test_both_texts_stand_in_their_difference(old: str, new: str) -> None:
    pieces = difference.between(old, new).pieces

    assert "".join(piece.text for piece in pieces if piece.kind != "added") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new
    assert all(piece.text for piece in pieces)
    assert difference.between(old, new).same == (old == new)


def test_one_changed_word_is_one_word() -> None:
    found = difference.between(
        "Give the label.\nOne word.\nNo sentence.", "Give the label.\nOne short word.\nNo sentence."
    )

    assert (found.added, found.removed) == (1, 0)
    assert [piece.text for piece in found.pieces if piece.kind == "added"] == ["short "]


def test_lines_with_little_in_common_are_replaced_whole() -> None:
    found = difference.between("Answer with one of the labels below.", "Reply as JSON: name, city, date of birth.")

    assert [piece.kind for piece in found.pieces] == ["removed", "added"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer("<instructions>\nBe exact.\n</instructions>"), "Be exact."),
        (answer("Here you are:\n<Instructions>Use `a` and ```b```.</Instructions>\nDone."), "Use `a` and ```b```."),
        (answer("```text\nBe exact.\n```"), "Be exact."),
        (answer("<instructions>Be exact.</instructions>", ""), "Be exact."),
        (answer("<instructions>Be exact.</instructions>", "length"), "cut"),
        (answer("<instructions>Be ex"), "unmarked"),
        (answer("```\nBe ex"), "unmarked"),
        (answer("Be exact."), "unmarked"),
        (answer("  "), "empty"),
        (answer("<think>Hm.</think><instructions>Be exact.</instructions>"), "thinking"),
        (answer("Hm.</think><instructions>Be exact.</instructions>"), "thinking"),
        (answer('{"instructions": "Be exact."}'), "json"),
        (answer('```json\n{"task": "x"}\n```'), "json"),
        (answer('<instructions>[{"role": "system"}]</instructions>'), "json"),
        (answer(f"<instructions>{'a ' * 60}</instructions>"), "too_long"),
    ],
)
def test_a_reply_is_taken_whole_or_not_at_all(reply: Answer, expected: str) -> None:
    read = replies.read(reply, limit=100)

    assert (read.code if isinstance(read, Refused) else read) == expected


ROWS = [
    RowText("train", 1, "How do I reset the password of my second account?", answer=False),
    RowText("train", 1, "Open the settings, choose Accounts, and press Reset beside the second one.", answer=True),
    RowText("dev", 2, "Where is my parcel that was sent in March?", answer=False),
    RowText("dev", 2, "It was sent with the evening lorry and arrives on Monday.", answer=True),
    *(RowText("test", number, f"Paris {number}x", answer=True) for number in range(10, 15)),
    *(RowText("train", number, "Please ask the support team for help.", answer=True) for number in range(20, 24)),
]


@pytest.mark.parametrize(
    ("prompt", "lines"),
    [
        ("Answer politely, in one sentence, and name the next step that a customer takes.", []),
        ("For example: It was sent with the evening lorry and arrives on Monday.", [2]),
        ("Say that it was sent with the evening lorry and arrives at noon.", [2]),
        ("How do I reset the passwort of my second account?", [1]),
        ("Please ask the support team for help.", []),
        ("One of Paris 10x and Paris 11x.", []),
        ("One of Paris 10x, Paris 11x and Paris 12x.", [10, 11, 12]),
    ],
)
def test_copies_of_rows_are_seen_and_phrases_are_not(prompt: str, lines: list[int]) -> None:
    inside = Copies(ROWS, "Be polite.", labels=False).inside(prompt)

    assert sorted({row.line for row in inside}) == lines


def test_what_the_first_prompt_quotes_is_a_persons_doing_and_labels_may_be_named() -> None:
    quoted = "It was sent with the evening lorry and arrives on Monday."

    assert Copies(ROWS, f"Answer like this: {quoted}", labels=False).inside(f"Be short. {quoted}") == []
    assert Copies(ROWS, "", labels=True).inside("One of Paris 10x, Paris 11x, Paris 12x and Paris 13x.") == []
    assert copies.described(ROWS[:3]) == "It quotes 1 train row and 1 dev row."


def test_an_answer_that_cites_its_passages_is_scored_as_the_arm_is() -> None:
    """Without the numbers that it cites: else every draft would lose to the prompt that it began with."""
    example = Example(1, 1, (Message("user", "Who built it?"),), "Ann Lee")
    prepared = Preparation("", shots.Picker(), {1: [(Passage(7, "Bridge", "Built by Ann Lee."), 1.0)]})
    outcomes: dict[int, Outcome] = {}
    task = Task(Scripted(lambda _: "Ann Lee [1]."), prepared, scores.computed("normalised_match", {}), 20)
    task.answer("Name the builder.", [example], outcomes, lambda: False, Spent())

    assert outcomes == {1: Outcome(1.0, "Ann Lee.")}


@pytest.mark.parametrize(
    ("drafts", "refused", "said", "not_said"),
    [
        (0, 0, "No draft; the first prompt scores 40.0 % on the dev set.", "0 drafts"),
        (2, 1, "2 drafts (1 refused); only the first prompt was scored on the dev set. Another critic", "1 prompt was"),
        (3, 1, "only the first prompt was scored on the dev set.", "Another critic"),
    ],
)
def test_a_run_without_a_gain_says_what_there_was(drafts: int, refused: int, said: str, not_said: str) -> None:
    counted = {"drafts": drafts, "refused": refused, "behind": 0, "scored": 1, "first": 0.4, "gain": 0.0, "luck": 0.0}
    run = OptimisationRow(candidates=[], result=counted, ending="")

    outcome = views.outcome(run, running=False, failure="The key is wrong.")

    assert said in " ".join(outcome.why)
    assert not_said not in " ".join(outcome.why)
