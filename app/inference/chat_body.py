"""A chat completion as servers send it: what is read of it, and no more."""

from typing import TypedDict


class ChatMessage(TypedDict, total=False):
    """What is read of a message; a server may put anything into each part."""

    content: object
    refusal: object


class Choice(TypedDict, total=False):
    """One answer of a chat completion; `text` stands for a message in the older protocol."""

    message: ChatMessage
    text: object
    finish_reason: object
    error: object


class ChatBody(TypedDict, total=False):
    """What is read of a chat completion."""

    choices: list[Choice]
    model: object
    usage: object
