"""One prompt in asking, training and scoring: what chat templates add, leave out or refuse changes no side alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import pytest

from app.chat import Message
from app.inference import answer_text, tokens
from app.inference.generator import Answer, folded, joined
from app.inference.local_protocol import AskedRow
from tests.support import tiny

SYSTEM = (Message("system", "Give the label."), Message("user", "hi"))
PLAIN = (Message("user", "hi"),)

TURNS = "{% for m in messages %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}"
ASK = "{% if add_generation_prompt %}<s>assistant:{% endif %}"
TEMPLATES = {
    "usual": TURNS + ASK,
    "no system": "{% if messages[0].role == 'system' %}{{ raise('System role not supported') }}{% endif %}"
    + TURNS
    + ASK,
    "drops system": "{% for m in messages if m.role != 'system' %}<s>{{ m.role }}:{{ m.content }}</s>{% endfor %}"
    + ASK,
    "empty block": (
        "{% for m in messages %}<s>{{ m.role }}:{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n"
        "{% endif %}{{ m.content }}</s>{% endfor %}" + ASK
    ),
    "can be switched": (
        "{% for m in messages %}<s>{{ m.role }}:{% if m.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n"
        "{% endif %}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant:"
        "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
    ),
    "opens thinking": TURNS + "{% if add_generation_prompt %}<s>assistant:<think>\n{% endif %}",
}


class Pieces:
    """A tokenizer over jinja templates: a token for every character but the marks of a turn."""

    eos_token = "</s>"
    eos_token_id = 1
    bos_token_id = 2
    marks = {"</s>": 1, "<s>": 3, "<bos>": 2}

    def __init__(self, template: str | None, *, adds_first: bool = False) -> None:
        self.chat_template: Any = template
        self.adds_first = adds_first

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> str:
        def fail(text: str) -> None:
            raise jinja2.TemplateError(text)

        del options["tokenize"]
        environment = jinja2.Environment(autoescape=False)  # noqa: S701 - prompts are no HTML
        return environment.from_string(self.chat_template).render(messages=conversation, **options, **{"raise": fail})

    def __call__(self, text: str, **options: Any) -> dict[str, list[int]]:
        ids = [2] if options["add_special_tokens"] and self.adds_first else []
        while text:
            mark = next((mark for mark in self.marks if text.startswith(mark)), "")
            ids.append(self.marks[mark] if mark else ord(text[0]) + 100)
            text = text[len(mark) or 1 :]
        return {"input_ids": ids}

    def decode(self, token_ids: Any, **options: Any) -> str:
        names = {number: mark for mark, number in self.marks.items()}
        return "".join(names[one] if one in names else chr(one - 100) for one in token_ids)


@pytest.fixture(params=list(TEMPLATES.values()), ids=list(TEMPLATES))
def pieces(request: pytest.FixtureRequest) -> Pieces:
    return Pieces(request.param)


def test_what_is_trained_begins_with_what_is_asked(pieces: Pieces) -> None:
    row = tokens.training_row(pieces, SYSTEM, "refund")

    assert row.prompt == tokens.prompt_ids(pieces, SYSTEM)
    assert row.completion[-1] == pieces.eos_token_id
    assert row.completion.count(pieces.eos_token_id) == 1


def test_an_adapter_that_says_exactly_what_was_trained_is_right(pieces: Pieces) -> None:
    row = tokens.training_row(pieces, SYSTEM, "refund")
    said = tokens.opened(pieces, SYSTEM) + pieces.decode(row.completion).removesuffix("</s>")

    assert answer_text.settled(Answer("1", said, "stop", 1, 1, 0.1), 256, "refund").text == "refund"


KNOWS_REASONING = (
    "{% for m in messages %}<s>{{ m.role }}:{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>"
    "\n\n{% endif %}{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}<s>assistant:"
    "{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


@pytest.mark.parametrize("template", [*TEMPLATES.values(), KNOWS_REASONING, None])
def test_reasoning_is_trained_where_the_model_will_think_and_scored_without_it(template: str | None) -> None:
    pieces = Pieces(template)

    row = tokens.training_row(pieces, SYSTEM, "refund", "They ask for money.", thinks=True)

    trained = pieces.decode(row.completion)
    assert row.prompt == tokens.prompt_ids(pieces, SYSTEM, thinks=True)
    assert "</think>" not in pieces.decode(row.prompt)
    assert (trained.count("They ask for money."), trained.count("</think>")) == (1, 1)
    assert trained.endswith("</think>\n\nrefund</s>")
    said = tokens.opened(pieces, SYSTEM, thinks=True) + trained.removesuffix("</s>")
    settled = answer_text.settled(Answer("1", said, "stop", 1, 1, 0.1), 256, "refund")
    assert settled.text == "refund"
    assert "They ask for money." in str(settled.raw)


def test_the_instructions_reach_the_model_whatever_its_template_does(pieces: Pieces) -> None:
    asked = pieces.decode(tokens.prompt_ids(pieces, SYSTEM))

    assert asked.count("Give the label.") == 1


def test_turns_of_one_speaker_are_one_where_the_template_wants_them_to_take_turns() -> None:
    """The same form as on a server (`joined`), in asking and in training."""
    strict = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise('must alternate') }}"
        "{% endif %}{% endfor %}" + TURNS + ASK
    )
    pieces, turns = Pieces(strict), (Message("system", "Label."), Message("user", "It is late."), Message("user", "q"))

    asked = tokens.prompt_text(pieces, turns)

    assert "user:Label.\n\nIt is late.\n\nq" in asked
    assert joined(folded(turns)) == (Message("user", "Label.\n\nIt is late.\n\nq"),)
    assert pieces.decode(tokens.training_row(pieces, turns, "refund").prompt) == asked


@pytest.mark.parametrize("name", ["no system", "drops system"])
def test_they_stand_in_front_of_the_question_as_for_servers(name: str) -> None:
    asked = tokens.prompt_text(Pieces(TEMPLATES[name]), SYSTEM)

    assert "user:Give the label.\n\nhi" in asked
    assert folded(SYSTEM) == (Message("user", "Give the label.\n\nhi"),)
    assert folded(PLAIN) == PLAIN


def test_thinking_that_can_be_switched_off_is_off_in_asking_and_in_training() -> None:
    pieces = Pieces(TEMPLATES["can be switched"])

    assert tokens.prompt_text(pieces, PLAIN).endswith("<think>\n\n</think>\n\n")
    assert pieces.decode(tokens.training_row(pieces, PLAIN, "refund").completion) == "refund</s>"


def test_an_answer_that_never_closes_what_the_prompt_opened_is_unfinished() -> None:
    pieces = Pieces(TEMPLATES["opens thinking"])
    said = tokens.opened(pieces, PLAIN) + "well, perhaps it is"

    assert answer_text.settled(Answer("1", said, "length", 1, 256, 0.1), 256).error is not None


@pytest.mark.parametrize(
    ("template", "adds_first"),
    [(None, True), ("<bos>" + TURNS + ASK, True), ("<bos>" + TURNS + ASK, False)],
    ids=["no template", "the template writes it", "only the template"],
)
def test_there_is_exactly_one_beginning_token_in_asking_and_training(template: str | None, adds_first: bool) -> None:
    pieces = Pieces(template, adds_first=adds_first)

    asked = tokens.prompt_ids(pieces, PLAIN)
    assert asked[0] == 2
    assert asked.count(2) == 1
    assert tokens.training_row(pieces, PLAIN, "refund").prompt == asked


def test_what_a_template_does_otherwise_is_said_before_training() -> None:
    said = {name: " ".join(tokens.remarks(Pieces(template))) for name, template in TEMPLATES.items()}

    assert said["usual"] == said["empty block"] == ""
    assert "no system turn" in said["no system"]
    assert "no system turn" in said["drops system"]
    assert "opens thinking" in said["opens thinking"]
    assert "switched off" in said["can be switched"]
    assert "no chat template" in " ".join(tokens.remarks(Pieces(None)))


def test_a_second_beginning_token_is_counted() -> None:
    pieces = Pieces("<bos>" + TURNS + ASK)

    assert tokens.beginnings(pieces, tokens.prompt_ids(pieces, PLAIN)) == 1
    assert tokens.beginnings(pieces, [2, 2, 3]) == 2
    assert tokens.beginnings(Pieces(None), [5]) == 0


def test_a_model_without_a_beginning_token_gets_none() -> None:
    assert tokens.prompt_ids(Pieces(None), PLAIN).count(2) == 0


# ---------------------------------------------------------------- the stop token, on a real model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make(tmp_path_factory.mktemp("model"))


def spoilt_embedding(loaded: Any) -> None:
    import torch

    weights = loaded.model.get_input_embeddings().weight
    with torch.no_grad():
        weights[loaded.tokenizer.convert_tokens_to_ids("<|im_end|>")] = weights[5]


def other_stop(loaded: Any) -> None:
    loaded.tokenizer.eos_token = "<|endoftext|>"
    loaded.model.generation_config.eos_token_id = loaded.tokenizer.eos_token_id


@pytest.mark.torch
@pytest.mark.parametrize(
    ("spoil", "sentences"),
    [
        (lambda _: None, []),
        (spoilt_embedding, ["has never learned <|im_end|>"]),
        (other_stop, ["ends an answer with <|im_end|>, but the model stops at <|endoftext|>"]),
    ],
    ids=["whole", "untrained", "another stop"],
)
def test_a_stop_token_that_was_never_taught_is_named(
    folder: Path, spoil: Callable[[Any], None], sentences: list[str]
) -> None:
    from app.inference import loading

    loaded = loading.load(folder, None, "float32")
    spoil(loaded)

    found = list(loading.stop_faults(loaded))

    assert len(found) == len(sentences)
    assert all(words in fault for words, fault in zip(sentences, found, strict=True))


@pytest.mark.torch
def test_the_time_of_an_answer_is_its_own_share_of_the_batch(folder: Path) -> None:
    import threading
    import time

    from app.inference import loading, local_child

    loaded = loading.load(folder, None, "float32")
    requests: list[AskedRow] = [
        {"id": str(n), "messages": [{"role": "user", "content": tiny.text(n)}], "max_tokens": 20} for n in range(16)
    ]

    started = time.monotonic()
    found = local_child.answer(loaded, requests, threading.Event())
    took = [one["seconds"] for one in found]
    whole = time.monotonic() - started

    assert len(took) == 16
    assert 0.5 * whole < sum(took) <= whole


def test_a_model_of_our_own_that_says_nothing_said_nothing() -> None:
    """A server may have thought unseen; a model in our own process has not, and nothing is what it answered."""
    empty = Answer("1", "", "length", 1, 256, 0.1)

    assert answer_text.settled(empty, 256).error is not None
    assert answer_text.settled(empty, 256, unseen=False) == empty
    assert answer_text.settled(Answer("1", "<think>so", "length", 1, 256, 0.1), 256, unseen=False).error is not None
