"""Arms that give the model passages: RAG in three ways, the right passage (the oracle), all documents at once.

Which way of searching the proposed RAG arm takes is chosen by how well each finds the right passages of the dev rows;
test rows choose nothing. The arms without passages beside them are the closed book.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.assessments import own_servers
from app.baselines import arms, passage_use
from app.baselines.answer_details import AnswerDetails
from app.baselines.arm_settings import ArmPassages, ArmSettings
from app.baselines.arms import Arm
from app.baselines.offers import Context, Offer
from app.baselines.prompts import Passage, question
from app.baselines.tables import ArmRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.datasets.store import Example
from app.datasets.tables import DatasetRow
from app.documents import store as documents
from app.documents.tokens import estimate
from app.errors import Conflict
from app.inference import store as models
from app.inference import trials
from app.inference.generator import Unusable
from app.jobs.claims import Claim, Failed
from app.relevance import service as relevance
from app.relevance import store as checks
from app.relevance.ranking import PASSAGES
from app.relevance.service import Quality
from app.retrieval import service as retrieval
from app.retrieval.settings import Way
from app.retrieval.tables import IndexRow
from app.wording import percent, plural, upper_first

ORACLE_LEAST = 20  # dev rows with a known right passage, below which the oracle says nothing
OTHER_DEPTHS = (3, 10)  # passages that the best way may hand on instead
CARRIED_LEAST = 0.95  # of the training rows, from which on they count as bringing their context
LOOKED_AT = 2000  # training rows that are looked through for how they refuse
AT_ONCE = 50  # questions between two looks at whether to stop
WINDOW_LEFT = 0.9  # of a model's window that documents and question may fill: their tokens are estimated

CITE = "Answer from the numbered passages. Cite the number of each passage that you use in brackets, like [1]."
REFUSE = "If the passages do not hold the answer, write only: {phrase}"

INDEX_FIRST = "Build an index over today's documents first, on the retrieval page."


def usual_instructions(targets: Iterable[str]) -> str:
    """What is asked besides, where passages are given. targets: expected answers of training rows; where some of them
    say that there is no answer, the model is asked to say it in their words."""
    own = passage_use.own_refusals(islice(targets, LOOKED_AT))
    return f"{CITE} {REFUSE.format(phrase=own[0] if own else passage_use.NOT_THERE)}"


def proposed_instructions(session: Session, assessment_id: int, dataset: DatasetRow | None) -> str:
    """The same for a form; empty where there are no documents that passages could be from."""
    if dataset is None or not documents.size(session, assessment_id).documents:
        return ""
    return usual_instructions(row.target for row in dataset_store.rows(session, dataset.id, "train"))


def instructions(context: Context) -> str:
    """The instructions of an arm with passages: those of the run, and below them what is asked besides."""
    added = context.order.passage_instructions
    if added is None:
        added = usual_instructions(row.target for row in context.examples["train"])
    return "\n\n".join(part for part in (context.order.instructions.strip(), added.strip()) if part)


# ---------------------------------------------------------------------- what is offered


class Against(NamedTuple):
    """Why an arm can't be run, and the page where that is mended; both empty where it can."""

    why: str = ""
    mend: str = ""


def offers(context: Context) -> Iterator[Offer]:
    """RAG by each way that the index has, the oracle and the whole corpus; with what stands against them."""
    index = retrieval.current(context.session, context.assessment.id)
    against = _against_documents(context)
    no_index = against
    if not against.why and index is None:
        no_index = Against(INDEX_FIRST, f"{_base(context)}/retrieval")
    check = relevance.current(context.session, context.assessment.id) if index else None
    quality = relevance.quality(context.session, check) if check else None
    yield from _rag(context, index, quality, no_index)
    yield _oracle(context, index, quality, no_index)
    yield _whole(context, against)


def _base(context: Context) -> str:
    return f"/assessments/{context.assessment.id}"


def _against_documents(context: Context) -> Against:
    size = documents.size(context.session, context.assessment.id)
    page = f"{_base(context)}/documents"
    if size.reading:
        return Against("Documents are still being read.", page)
    if not size.documents:
        return Against("There are no documents: add them under Data.", page)
    if size.undecided:
        return Against("Nobody has decided about the personal data in the documents yet.", page)
    return Against()


def _rag(context: Context, index: IndexRow | None, quality: Quality | None, against: Against) -> Iterator[Offer]:
    ways = index.ways if index else ("lexical",)
    best = quality.best if quality else None
    proposed = best.way if best else ways[-1]

    server = retrieval.endpoint_model(context.session, index.settings.embedder) if index else None
    sending = Against(own_servers.against_sending(context.assessment, server), f"{_base(context)}/retrieval")

    def offer(way: Way, k: int, why: str, *, propose: bool) -> Offer:
        arm = _searching(context, index, way, k)
        size = characters(context.session, arm.settings)
        embeds = server.id if server is not None and way != "lexical" else None
        no = sending if embeds and sending.why and not against.why else against
        return Offer(arm, propose and not no.why, why, no.why, mend=no.mend, characters=size, embeds=embeds)

    for way in sorted(ways, key=lambda way: way != proposed):
        why = _why(way, ways, quality) if index else ""
        yield offer(way, PASSAGES, why, propose=way == proposed)
    for k in OTHER_DEPTHS if index else ():
        found = _recall(quality, proposed, k)
        yield offer(
            proposed, k, f"{plural(k, 'passage')} instead of {PASSAGES}{found and ': ' + found}.", propose=False
        )


def _searching(context: Context, index: IndexRow | None, way: Way, k: int) -> Arm:
    name = f"rag/{way}" if k == PASSAGES else f"rag/{way}/{k}"
    passages: ArmPassages = {"way": way, "k": k}
    if index is not None:
        passages |= {"index": index.id, "sha256": index.sha256}
    return Arm("rag", name, {"instructions": instructions(context), "passages": passages})


def _why(way: Way, ways: Sequence[Way], quality: Quality | None) -> str:
    """Why this way is proposed, or left to choose."""
    best = quality.best if quality else None
    if quality is None or best is None:
        if way != ways[-1]:
            return ""
        return "Which way finds the gold passages is not measured yet: check retrieval to choose by it."
    found = _recall(quality, way, PASSAGES)
    if way != best.way:
        tied = way in best.tied
        return f"{upper_first(found)}{', which these rows cannot tell from the best' if tied else ''}."
    if len(ways) == 1:
        return f"{upper_first(found)}."
    return f"Best on dev: {found}."


def _recall(quality: Quality | None, way: Way, k: int) -> str:
    ranked = next((one for one in quality.rankings if one.way == way), None) if quality else None
    if quality is None or ranked is None:
        return ""
    at, marked = ranked.at(k), relevance.marked_of(quality.check, quality.known)
    flattered = f" ({marked:,} marked by hand, which may flatter it)" if marked else ""
    return f"recall@{k} {percent(at.share, 0)} on {plural(at.rows, 'dev row')}{flattered}"


def _oracle(context: Context, index: IndexRow | None, quality: Quality | None, against: Against) -> Offer:
    passages: ArmPassages = {"way": "gold"}
    rows, asked = (
        0,
        arms.sample([row.id for row in context.examples["dev"]], context.order.dev_rows, context.dataset.seed),
    )
    if index is not None:
        passages |= {"index": index.id, "sha256": index.sha256}
    if quality is not None:
        known = quality.known
        rows = sum(row in known.gold for row in asked)
        signs = {how: known.count(how) for how in ("marked", "named", "context", "quotation")}
        passages |= {
            "check": quality.check.id,
            "marks_up_to": known.marks_up_to,
            "rows": rows,
            "known_by": {how: number for how, number in signs.items() if number},
        }
    page = f"{_base(context)}/retrieval/quality"
    if not against.why and quality is None:
        against = Against("Check retrieval first: it looks for the gold passage of each dev row.", page)
    elif not against.why and len(asked) < ORACLE_LEAST:
        missing = f"It needs {ORACLE_LEAST} dev rows whose gold passage is known, and {len(asked):,} are asked."
        against = Against(f"{missing} Take a larger sample, or more dev rows.", f"{_base(context)}/data")
    elif not against.why and rows < ORACLE_LEAST:
        missing = plural(ORACLE_LEAST - rows, "more row", "more rows")
        against = Against(f"The gold passage is known of {plural(rows, 'dev row')}. Mark {missing}.", page)
    why = f"On the {plural(rows, 'dev row')} whose gold passage is known: the most that retrieval could reach."
    arm = Arm("oracle", "oracle", {"instructions": instructions(context), "passages": passages})
    size = characters(context.session, arm.settings)
    able = not against.why
    return Offer(arm, able, why if able else "", against.why, mend=against.mend, characters=size, rows=rows)


def _whole(context: Context, against: Against) -> Offer:
    model = next((row for row in models.usable(context.session) if row.id == context.order.model_id), None)
    window = trials.window(model) if model else None
    longest = max((estimate(question(row.messages)) for row in context.examples["dev"]), default=0)
    needed = documents.size(context.session, context.assessment.id).tokens + longest + context.order.max_tokens
    if not against.why and model is None:
        against = Against("Choose a model first.")
    elif not against.why and model is not None and window is None:
        against = Against(
            f"Nobody said how many tokens {model.name} reads at once. Meet the server under Models.", "/models"
        )
    elif not against.why and model is not None and window is not None and needed > WINDOW_LEFT * window:
        against = Against(
            f"With question and answer about {needed:,} tokens are needed, and {model.name} reads {window:,}."
        )
    passages: ArmPassages = {"way": "all"}
    if not against.why:
        number = context.assessment.id
        passages |= {
            "documents": [row.id for row in documents.corpus(context.session, number)],
            "sha256": retrieval.hashes(context.session, [number])[number].corpus,
        }
    arm = Arm("whole_corpus", "whole_corpus", {"instructions": instructions(context), "passages": passages})
    return Offer(
        arm,
        proposed=False,
        why="Nothing has to be found; every call reads all documents.",
        against=against.why,
        mend=against.mend,
        characters=characters(context.session, arm.settings),
    )


# ---------------------------------------------------------------------- what is handed on


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What an arm's rows are asked with. passages: of each row, by its id, the best first, with their scores; gold: the
    right passages of rows where they are known."""

    passages: Mapping[int, Sequence[tuple[Passage, float]]] = field(default_factory=dict)
    gold: Mapping[int, Sequence[int]] = field(default_factory=dict)


def rows_of(session: Session, arm: ArmRow, examples: Sequence[Example]) -> list[Example]:
    """The rows that an arm can be asked at all: the oracle only those whose right passage is known."""
    settings = arm.settings.get("passages") or {}
    if settings.get("way") != "gold":
        return list(examples)
    gold = _gold(session, settings)
    return [example for example in examples if example.id in gold]


def look_up(claim: Claim, arm: ArmRow, examples: Sequence[Example]) -> LookedUp:
    """What an arm's rows are asked with; nothing for an arm without passages.

    Raises:
        Failed: the index, its model or a document cannot be had.
        Cancelled, Fenced, Stopping: pass them on.
    """
    settings = arm.settings.get("passages")
    if not settings or not examples:
        return LookedUp()
    with claim.read() as session:
        if settings["way"] == "all":
            if arm.outdated:
                raise Failed("The documents have changed since this measurement was planned. Start a new one.")
            every = _documents(session, claim.blobs, settings)
            return LookedUp({example.id: every for example in examples})
        index = session.get_one(IndexRow, settings["index"])
        if index.sha256 != settings["sha256"]:
            raise Failed("The index is not the one that this variant was planned with. Start a new measurement.")
        gold = _gold(session, settings) or _known(session, arm, index)
        if settings["way"] == "gold":
            ranked = {example.id: [(passage, 1.0) for passage in gold.get(example.id, ())] for example in examples}
        else:
            ranked = search(claim, session, index, settings["way"], settings["k"], examples)
        ids = {passage for hits in ranked.values() for passage, _ in hits}
        passages = passages_of(session, claim.blobs, index.id, ids)
    found = {row: [(passages[one], score) for one, score in hits] for row, hits in ranked.items()}
    return LookedUp(found, {example.id: gold[example.id] for example in examples if example.id in gold})


def search(
    claim: Claim, session: Session, index: IndexRow, way: Way, k: int, examples: Sequence[Example]
) -> dict[int, list[tuple[int, float]]]:
    """The k best passages of each row, by its id, with their scores. Raises: Failed: as `look_up`."""
    ranked: dict[int, list[tuple[int, float]]] = {}
    try:
        with relevance.opened(claim.settings, session, claim.blobs, index, way) as searcher:
            for start in range(0, len(examples), AT_ONCE):
                claim.check()
                part = examples[start : start + AT_ONCE]
                hits = searcher.search([question(example.messages) for example in part], way, k)
                for example, mine in zip(part, hits, strict=True):
                    ranked[example.id] = [(hit.passage_id, hit.score) for hit in mine]
    except (Unusable, Conflict) as error:
        claim.check()
        raise Failed(str(error)) from error
    return ranked


def passages_of(session: Session, blobs: Blobs, index_id: int, ids: Collection[int]) -> dict[int, Passage]:
    """Passages of an index as prompts take them."""
    stored = retrieval.passages(session, blobs, index_id, sorted(ids))
    return {number: Passage(number, passage.title, passage.text) for number, passage in stored.items()}


def given(session: Session, blobs: Blobs, arm: ArmRow, kept: AnswerDetails | None) -> list[Passage]:
    """The passages that an answer was made with, in their order, from what was kept with it."""
    settings = arm.settings.get("passages") or {}
    if settings.get("way") == "all":
        return [passage for passage, _ in _documents(session, blobs, settings)]
    ids = [passage for passage, _ in (kept or {}).get("passages", ())]
    if not ids:
        return []
    passages = passages_of(session, blobs, settings["index"], ids)
    return [passages[number] for number in ids if number in passages]


def _gold(session: Session, settings: ArmPassages) -> dict[int, Sequence[int]]:
    """The right passages as they were known when the arm was planned; nothing where it names no check."""
    if "check" not in settings:
        return {}
    known = relevance.known(session, checks.check(session, settings["check"]), settings["marks_up_to"])
    return {row: gold.passages for row, gold in known.gold.items()}


def _known(session: Session, arm: ArmRow, index: IndexRow) -> dict[int, Sequence[int]]:
    """The right passages that are known now, to tell failures apart by."""
    check = checks.done(session, index.assessment_id, index.id, arm.baseline.dataset_id)
    return {row: gold.passages for row, gold in relevance.known(session, check).gold.items()} if check else {}


def _documents(session: Session, blobs: Blobs, settings: ArmPassages) -> list[tuple[Passage, float]]:
    every = retrieval.texts(session, blobs, settings["documents"])
    return [(Passage(row.id, row.title, text), 1.0) for row, text in every]


def characters(session: Session, settings: ArmSettings) -> float:
    """Characters that an arm's passages add to a prompt, on average, by the index's own estimate of their tokens."""
    passages = settings.get("passages") or {}
    if passages.get("way") == "all":
        rows = (documents.document(session, int(number))[0] for number in passages.get("documents", ()))
        return float(sum(row.characters for row in rows))
    index = session.get(IndexRow, passages["index"]) if "index" in passages else None
    if index is None or not index.passages:
        return 0.0
    return passages.get("k", 1) * arms.CHARACTERS_PER_TOKEN * index.tokens / index.passages


# ---------------------------------------------------------------------- what came of it


def rows_carry_context(session: Session, assessment_id: int, dataset_id: int) -> bool | None:
    """Whether the training rows bring passages of the documents with their questions; None where nobody looked."""
    carried = checks.carried(session, assessment_id, dataset_id)
    return None if carried is None else carried >= CARRIED_LEAST


def ending(
    asked: Sequence[Passage], gold: Sequence[int], text: str, target: str, question: str = ""
) -> tuple[str, AnswerDetails]:
    """An answer without the numbers that it cites, which no metric should count, and what is kept of its passages.

    question: what was asked, without them. target: the wanted answer; where it has numbers in brackets itself, they are
    the task, and stay.
    """
    bare, cited = passage_use.uncited(text, len(asked))
    if passage_use.uncited(target, len(asked))[1]:
        bare = text
    kept = passage_use.details(bare, [(passage.id, passage.text) for passage in asked], gold, cited, question)
    return bare, {**kept, **({"written": text} if bare != text else {})}
