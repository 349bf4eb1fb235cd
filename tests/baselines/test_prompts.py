from app.baselines import prompts
from app.baselines.prompts import Shot
from app.chat import Message

QUESTION = (Message("user", "Where is my parcel?"),)
SHOT = Shot(1, 4, (Message("system", "Be kind."), Message("user", "I want my money back.")), "refund")


def test_instructions_then_examples_then_the_question() -> None:
    rendered = prompts.render(" Sort the mail. \n", [SHOT], QUESTION)

    assert rendered == (
        Message("system", "Sort the mail."),
        Message("user", "I want my money back."),
        Message("assistant", "refund"),
        Message("user", "Where is my parcel?"),
    )


def test_a_rows_own_system_text_stands_below_the_instructions() -> None:
    rendered = prompts.render("Sort.", [], (Message("system", "You work for a shop."), *QUESTION))

    assert rendered[0] == Message("system", "Sort.\n\nYou work for a shop.")


def test_the_same_system_text_is_not_said_twice() -> None:
    rendered = prompts.render("Sort.", [], (Message("system", "Sort. "), *QUESTION))

    assert rendered[0] == Message("system", "Sort.")


def test_without_instructions_there_is_no_system_turn() -> None:
    assert prompts.render("  ", [], QUESTION) == QUESTION
    assert prompts.render("", [], (Message("system", ""), *QUESTION)) == QUESTION


def test_a_conversation_keeps_its_turns() -> None:
    turns = (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye"))

    assert prompts.render("", [], turns) == turns


def test_the_prompt_hash_sees_every_character_and_role() -> None:
    hashes = {
        prompts.sha256([Message("user", "a")]),
        prompts.sha256([Message("user", "a ")]),
        prompts.sha256([Message("system", "a")]),
        prompts.sha256([Message("user", ""), Message("user", "a")]),
    }

    assert len(hashes) == 4
    assert prompts.sha256(prompts.render("x", [SHOT], QUESTION)) == prompts.sha256(
        prompts.render(" x", [SHOT], QUESTION)
    )
