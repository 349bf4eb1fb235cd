"""Which house a model comes from, by its names, and what to say where judge and judged come from the same. Pure.

Judges prefer answers of their own kind (Zheng et al. 2023, arXiv 2306.05685, section 3.3), so a judge should be of
another family than the model that it judges, and than the model that a small one learns from. The table holds names
as their makers use them; a model that is called otherwise is of no known family, and that is said, too.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from app.json_types import JsonObject
from app.strict import stored

Kind = Literal["same_model", "same_family", "teacher", "unknown"]

# House: patterns of names. What was made from another house's model, and is named so, is of both.
HOUSES: Mapping[str, str] = {
    "AI21": r"jamba|jurassic",
    "Allen AI": r"olmo\w*|tulu|molmo",
    "Amazon": r"nova|titan",
    "Anthropic": r"claude",
    "Baidu": r"ernie",
    "Cohere": r"command-?(?:r|a|light|nightly)|c4ai|aya",
    "DeepSeek": r"deepseek",
    "Google": r"gemini|gemma|palm|bison|t5|flan\w*",
    "Hugging Face": r"smollm|zephyr",
    "IBM": r"granite",
    "LG": r"exaone",
    "Liquid": r"lfm",
    "Meta": r"llama|codellama|tinyllama|vicuna|alpaca",
    "Microsoft": r"phi|orca|mai",
    "MiniMax": r"minimax|abab",
    "Mistral": r"mistral|mixtral|ministral|magistral|codestral|devstral|pixtral|open-mistral",
    "Moonshot": r"kimi|moonshot",
    "NVIDIA": r"nemotron|minitron",
    "OpenAI": r"gpt|chatgpt|davinci|babbage|o[1345]",
    "Qwen": r"qwen|qwq|qvq",
    "Tencent": r"hunyuan",
    "TII": r"falcon",
    "xAI": r"grok",
    "Z.ai": r"glm|chatglm",
    "01.AI": r"yi",
}
_NAMED = {house: re.compile(rf"(?<![a-z])(?:{names})(?![a-z])", re.IGNORECASE) for house, names in HOUSES.items()}
_SHORT = re.compile(r"(?<![a-z0-9])o[1345](?![a-z0-9])", re.IGNORECASE)  # o3, and not the end of foo3


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model: its connection, names besides, and the houses that these stand for. kind: of the
    connection; files: of a local model, by hash."""

    name: str
    connection: tuple[str, str, str]
    houses: frozenset[str]
    files: frozenset[str] = frozenset()

    def is_same(self, other: "Known") -> bool:
        """Whether the two are one model: one connection, or the same files."""
        return self.connection == other.connection or bool(self.files and self.files == other.files)


def houses(names: Iterable[str]) -> frozenset[str]:
    """The houses that these names of one model stand for; none where nobody can tell."""
    text = " ".join(names)
    known = {house for house, pattern in _NAMED.items() if pattern.search(text)}
    if "OpenAI" in known and not _SHORT.search(text) and not re.search(r"gpt|davinci|babbage", text, re.IGNORECASE):
        known.discard("OpenAI")
    return frozenset(known)


@dataclass(frozen=True, slots=True)
class Kinship:
    """Why a judge may be partial. kind: same_model (it judges its own answers), same_family, teacher (of the family of
    the stronger model that was measured), unknown (nobody can tell). about: the labels of the variants, or of the
    model. houses: that they share."""

    kind: Kind
    about: tuple[str, ...]
    houses: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        about, shared = ", ".join(self.about), " and ".join(self.houses)
        return {
            "same_model": f"The judge wrote these answers itself: {about}. Judges prefer their own answers.",
            "same_family": f"The judge is of the same family ({shared}) as the model behind {about}. Judges prefer "
            "answers of their own family: take a judge of another one.",
            "teacher": f"The judge is of the family ({shared}) of the stronger model {about}. What learns from that "
            "model would win by its taste.",
            "unknown": f"Nobody can tell whether the judge is of the family of the model of {about}.",
        }[self.kind]

    def to_json(self) -> JsonObject:
        return {**asdict(self), "about": list(self.about), "houses": list(self.houses)}

    @classmethod
    def from_json(cls, value: JsonObject) -> "Kinship":
        return stored(cls, value)


def warnings(judge: Known, judged: Sequence[tuple[str, Known]], teachers: Sequence[Known] = ()) -> list[Kinship]:
    """What to say of a judge. judged: the label of each variant with the model that answered it. teachers: stronger
    models that were measured beside."""
    same = [label for label, model in judged if judge.is_same(model)]
    others = [(label, model) for label, model in judged if not judge.is_same(model)]
    kin = [(label, judge.houses & model.houses) for label, model in others if judge.houses & model.houses]
    unclear = [label for label, model in others if not judge.houses or not model.houses]
    of_teacher = [one for one in teachers if judge.is_same(one) or judge.houses & one.houses]
    made: list[Kinship] = []
    if same:
        made.append(Kinship("same_model", tuple(same)))
    if kin:
        shared = sorted(frozenset[str]().union(*(houses_ for _, houses_ in kin)))
        made.append(Kinship("same_family", tuple(label for label, _ in kin), tuple(shared)))
    made += [
        Kinship("teacher", (one.name,), tuple(sorted(judge.houses & one.houses)) or ("the same model",))
        for one in of_teacher
    ]
    if unclear:
        made.append(Kinship("unknown", tuple(unclear)))
    return made
