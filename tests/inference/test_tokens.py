"""Cutting a conversation into prompt and completion, with a tokenizer that is one letter a token."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.chat import Message
from app.inference import tokens

END = "\x03"


class Letters:
    """Every character is a token; the template is told."""

    eos_token = END
    eos_token_id = ord(END)

    def __init__(self, template: str) -> None:
        self.chat_template: Any = template

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> str:
        if self.chat_template == "no model" and conversation[-1]["role"] == "assistant":
            raise ValueError("Only questions are supported")
        start = "A:" if self.chat_template != "thinking" else "A:<think>"
        text = "".join(f"{turn['role'][0].upper()}:{turn['content']}{END}\n" for turn in conversation)
        return text + (start if options["add_generation_prompt"] else "")

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        assert options == {"add_special_tokens": False}
        return {"input_ids": [ord(letter) for letter in text]}

    def decode(self, token_ids: Sequence[int], **options: Any) -> str:
        return "".join(map(chr, token_ids))


ASKED = (Message("user", "hi"),)


@pytest.mark.parametrize("template", ["plain", "thinking", ""])
def test_the_completion_is_the_answer_and_one_stop_token(template: str) -> None:
    row = tokens.training_row(Letters(template), ASKED, "yo")

    closed = "\n</think>\n\n" if template == "thinking" else ""  # the prompt opens thinking, the answer has to end it
    assert "".join(map(chr, row.completion)) == f"{closed}yo{END}"
    assert row.prompt == tokens.prompt_ids(Letters(template), ASKED)
    assert row.length == len(row.prompt) + len(closed) + 3


def test_nothing_after_the_first_stop_token_is_trained() -> None:
    row = tokens.training_row(Letters("plain"), ASKED, f"yo{END}more")

    assert "".join(map(chr, row.completion)) == f"yo{END}"


def test_a_template_that_refuses_is_said() -> None:
    with pytest.raises(tokens.CannotRender, match="Only questions are supported"):
        tokens.training_row(Letters("no model"), ASKED, "yo")


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=8), max_size=6))
def test_the_common_beginning_leaves_something_of_each(rows: list[list[int]]) -> None:
    shared = tokens.common_prefix(rows)

    assert len({tuple(row[:shared]) for row in rows}) <= 1
    assert all(shared < len(row) for row in rows)
    if rows and shared + 1 < min(len(row) for row in rows):
        assert len({row[shared] for row in rows}) > 1
