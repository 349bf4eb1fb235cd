"""Questions for a model on this machine, and what the library's own way of answering them says."""

from pathlib import Path

from app.chat import Message
from app.inference.generator import Request
from tests.support import tiny

TOLD = Message("system", "Answer in the house's own style, which is short, friendly and without any promise at all.")


def ask(count: int, instructions: Message | None = TOLD, room: int = 12) -> list[Request]:
    lead = (instructions,) if instructions else ()
    return [Request(f"row {n}", (*lead, Message("user", tiny.text(n) * (n + 1))), room) for n in range(count)]


def never() -> bool:
    return False


def naive(model: Path, requests: list[Request]) -> dict[str, str]:
    """One after the other through the library's own generate."""
    import torch

    from app.inference import loading, tokens

    loaded = loading.load(model, None, "float32")
    texts = {}
    for request in requests:
        ids = torch.tensor([tokens.prompt_ids(loaded.tokenizer, request.messages)])
        said = loaded.model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=request.max_tokens,
            do_sample=False,
            pad_token_id=loaded.tokenizer.pad_token_id,
        )
        texts[request.id] = loaded.tokenizer.decode(said[0, ids.shape[1] :], skip_special_tokens=True)
    return texts
