"""The REST side of trying an adapter by hand."""

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from app.baselines import prompts
from app.errors import Conflict
from app.serving.deps import InUse
from app.trying import deps, service
from app.trying.service import Trial
from app.users.deps import Me
from app.web.deps import App, Db
from app.web.params import Id, Text
from app.web.problems import REFUSALS

router = APIRouter(prefix="/api/v1/trainings", tags=["results"], responses=REFUSALS)


class TryExample(BaseModel):
    """A dev row to begin with, personal data hidden."""

    example_id: int
    question: str
    target: str


class AdapterTrial(BaseModel):
    """How an adapter would be tried. against: why it can't be now; empty where it can. base_instructions,
    adapter_instructions: the system turns of the best prompt and of the adapter, null where it can't be tried.
    longest: characters of a question."""

    training_id: int
    base_model: str
    against: str
    best_prompt: str | None
    base_instructions: str | None
    adapter_instructions: str | None
    examples: list[TryExample]
    longest: int

    @staticmethod
    def of(trial: Trial) -> "AdapterTrial":
        return AdapterTrial(
            training_id=trial.training_id,
            base_model=trial.model,
            against=trial.against,
            best_prompt=trial.base.title if trial.base else None,
            base_instructions=trial.base.instructions if trial.base else None,
            adapter_instructions=trial.adapter.instructions if trial.adapter else None,
            examples=[
                TryExample(example_id=example.id, question=example.question, target=example.target)
                for example in trial.examples
            ],
            longest=service.LONGEST,
        )


class TryQuestion(BaseModel):
    """A question, as a user would ask it: instructions, examples and passages are added as they were measured."""

    model_config = ConfigDict(extra="forbid")

    question: Annotated[Text, Field(description=f"at most {service.LONGEST:,} characters")]


class TriedAnswer(BaseModel):
    """One answer. error: why there is none; empty where there is. seconds: of this answer, without the wait before it.
    prompt_sha256: of the rendered prompt, as measurements name theirs."""

    text: str
    error: str
    finish: Literal["stop", "length"]
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    prompt_sha256: str

    @staticmethod
    def of(side: deps.Side) -> "TriedAnswer":
        reply = side.reply
        return TriedAnswer(
            text=reply.text,
            error=reply.error,
            finish="length" if reply.finish == "length" else "stop",
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=reply.seconds,
            prompt_sha256=prompts.sha256(reply.messages),
        )


class TriedAnswers(BaseModel):
    """Base model with the best prompt, and adapter. same: whether both said the same; null where one has no answer.
    computed_on: the device, as people call it."""

    training_id: int
    base: TriedAnswer
    adapter: TriedAnswer
    same: bool | None
    computed_on: str


@router.get("/{training_id}/try", name="api_trial")
def get_trial(training_id: Id, app: App, db: Db, me: Me) -> AdapterTrial:
    """What an adapter would be tried against, whether it can be, and dev questions to begin with."""
    return AdapterTrial.of(service.trial(db, app.settings, app.blobs, training_id))


@router.post("/{training_id}/try", name="api_try")
async def try_adapter(
    request: Request, training_id: Id, wanted: TryQuestion, app: App, me: Me, serving: InUse
) -> TriedAnswers:
    """Ask base model and adapter one question, at temperature 0. Nothing of it is kept."""
    _, answers = await deps.ask(request, app, serving, me.id, training_id, wanted.question)
    if answers is None:
        raise Conflict("The request was given up.")
    return TriedAnswers(
        training_id=training_id,
        base=TriedAnswer.of(answers.base),
        adapter=TriedAnswer.of(answers.adapter),
        same=answers.same,
        computed_on=answers.computed_on,
    )
