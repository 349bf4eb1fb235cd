"""A use case that needs facts: documents really read and indexed, rows that ask about them, a model that reads them.

Everything is done here and now, by the jobs' own bodies, without a worker process.
"""

import io
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.blobs import Blobs
from app.datasets.tables import DatasetRow, ExampleRow
from app.db import reading, utcnow, writing
from app.documents import job as documents_job
from app.documents import service as documents
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs import store as job_store
from app.jobs.claims import Claim
from app.jobs.tables import Status
from app.recipes import store as recipes
from app.recipes.passages_carried import CarriedPassages
from app.recipes.tables import RecipeRow
from app.relevance import job as relevance_job
from app.relevance import service as relevance
from app.relevance.tables import RetrievalCheckRow
from app.retrieval import job as retrieval_job
from app.retrieval import service as retrieval
from app.retrieval import store as index_store
from app.retrieval.settings import IndexSettings
from app.retrieval.tables import IndexRow
from app.settings import Settings
from app.training import rows_with_passages
from app.users.tables import UserRow
from tests.support.factories import Make
from tests.support.model_server import ModelServer

TOWNS = (
    *("Aldra", "Bevin", "Corley", "Dunmor", "Estwick", "Farrow", "Glenby", "Harrow", "Ilkley", "Jarrow", "Kelso"),
    *("Larne", "Melby", "Norvik", "Oakham", "Penrith", "Quorn", "Ripley", "Selby", "Thorne", "Ulver", "Varna"),
    *("Wexby", "Yarrow", "Zetland", "Ambria", "Brundal", "Coswic", "Delmar", "Eskrig", "Fintry", "Gorsey", "Hexham"),
    *("Inverne", "Jedburg", "Kirkby", "Lomond", "Morvane", "Nethery", "Orston"),
)


def builder(number: int) -> str:
    """Who built the bridge of a town: two words that stand in one document only."""
    return f"{TOWNS[number][::-1].capitalize()} {TOWNS[-1 - number]}sson"


def page(number: int) -> tuple[str, bytes]:
    """A document of a town, with two sections: the bridge, and the market."""
    town = TOWNS[number]
    text = (
        f"# {town}\n\n## The bridge\n\nThe stone bridge of {town} has {3 + number % 5} arches and was built by "
        f"{builder(number)}, who is buried beside it.\n\n## The market\n\nThe market of {town} is held on "
        f"{('Monday', 'Tuesday', 'Friday')[number % 3]}; cheese, wool and iron have been sold there for centuries.\n"
    )
    return f"{town.lower()}.md", text.encode()


def question(number: int) -> str:
    return f"Who built the bridge of {TOWNS[number]}?"


@dataclass
class Corpus:
    """An assessment with documents, rows about them, and what runs its jobs."""

    engine: Engine
    settings: Settings
    queue: job_engine.Client
    blobs: Blobs
    assessment: AssessmentRow
    author: UserRow
    dataset: DatasetRow
    claims: list[Claim] = field(default_factory=list)

    def run(self, kind: str, subject_id: int, body: Callable[[Claim], None]) -> None:
        """Take the newest job of a kind and do it here."""
        with writing(self.engine) as session:
            job = job_store.latest(session, kind, subject_id)
            assert job is not None
            attempt = job_store.claim(session, job.id, "test", utcnow())
            assert attempt is not None
            claim = Claim(
                job_id=job.id,
                subject_id=subject_id,
                attempt=attempt,
                engine=self.engine,
                settings=self.settings.model_copy(update={"allowed_hosts": ("127.0.0.0/8",)}),
                blobs=self.blobs,
                queue=self.queue,
                stopping=threading.Event(),
                by=job.created_by,
                assessment_id=self.assessment.id,
            )
        self.claims.append(claim)
        body(claim)
        with writing(self.engine) as session:
            job_store.get(session, claim.job_id).status = Status.DONE

    def add(self, *files: tuple[str, bytes]) -> None:
        """Add documents as one zip, and read them."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for name, data in files:
                archive.writestr(name, data)
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            stored = (self.blobs.put_bytes(packed.getvalue()), "pages.zip")
            first = documents.add(session, self.assessment.id, self.author, [stored])[0].id
        self.run("read", first, documents_job.read)

    def index(self, **different: Any) -> IndexRow:
        """Build an index over the documents as they are; lexical, where no embedder is named."""
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            wanted = IndexSettings(**{"size": 40, "overlap": 0, **different})
            number = retrieval.order(session, self.settings, self.assessment.id, self.author, wanted, consent=True).id
        self.run("index", number, retrieval_job.build)
        with reading(self.engine) as session:
            return index_store.get(session, number)

    def lookup(self, asked: CarriedPassages) -> None:
        """Look passages up for the training rows, as a preflight does before it starts the model."""
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            recipe = recipes.of_assessment(session, self.assessment.id)
            assert recipe is not None
            title = "Preflight"
            jobs.add(session, "preflight", recipe.id, self.author.id, assessment_id=self.assessment.id, title=title)
            number = recipe.id

        def body(claim: Claim) -> None:
            made = rows_with_passages.make(claim, self.dataset_now(), asked)
            with claim.write() as session:
                session.get_one(RecipeRow, number).passages = made

        self.run("preflight", number, body)

    def dataset_now(self) -> DatasetRow:
        """The data as it is stored."""
        with reading(self.engine) as session:
            return session.get_one(DatasetRow, self.dataset.id)

    def check(self) -> RetrievalCheckRow:
        """Check retrieval on the dev rows."""
        with writing(self.engine) as session:
            jobs.bind(session, self.queue)
            number = relevance.start(session, self.assessment.id, self.author, consent=True).id
        self.run("check_retrieval", number, relevance_job.check)
        with reading(self.engine) as session:
            return session.get_one(RetrievalCheckRow, number)


def a_corpus(
    make: Make,
    engine: Engine,
    settings: Settings,
    queue: job_engine.Client,
    blobs: Blobs,
    *,
    sources: Sequence[int] = (),
    absent: Sequence[int] = (),
    **different: Any,
) -> Corpus:
    """Ten training, 24 dev and six test rows, one for each town, whose documents are added.

    sources: numbers of rows whose upload names their document in a column `doc`. absent: rows without a document, whose
    expected answer says that there is none.
    """
    author = make.author()
    answers = {"metric": "normalised_match", "target": 0.9, **different.pop("answers", {})}
    assessment = make.assessment(author, answers=answers, **different)
    dataset = make.dataset(assessment, author, train=10, dev=24, test=6)
    lines = []
    with writing(engine) as session:
        for row in session.query(ExampleRow).filter_by(dataset_id=dataset.id):
            number = row.line - 1
            row.messages = [{"role": "user", "content": question(number)}]
            row.target = "Not in the passages." if number in absent else builder(number)
            named = {"doc": f"docs/{TOWNS[number].lower()}.md"} if number in sources else {}
            lines.append(orjson.dumps({"prompt": question(number), "completion": row.target, **named}))
        stored = session.get_one(DatasetRow, dataset.id)
        stored.blob_sha256 = blobs.put_bytes(b"\n".join(lines)).sha256
        rows = session.query(ExampleRow).filter_by(dataset_id=dataset.id).order_by(ExampleRow.line)
        canonical = [
            orjson.dumps({"line": row.line, "split": row.split, "messages": row.messages, "target": row.target})
            for row in rows
        ]
        stored.rows_sha256 = blobs.put_bytes(b"\n".join(canonical) + b"\n").sha256
        stored.report_json = {
            **stored.report_json,
            "layout": "JSON lines",
            "columns": [{"name": name, "samples": []} for name in ("prompt", "completion", "doc")],
        }
    corpus = Corpus(engine, settings, queue, blobs, assessment, author, dataset)
    corpus.add(*(page(number) for number in range(len(TOWNS)) if number not in absent))
    return corpus


def reader(body: dict[str, Any]) -> str:
    """A model that knows nothing: it names the builder where a passage about the town's bridge is given, else refuses.

    Citations are written as asked.
    """
    last = str(body["messages"][-1]["content"])
    passages, _, asked = last.rpartition("Question:\n")
    town = asked.removeprefix("Who built the bridge of ").rstrip("?")
    for block in passages.split("\n\n"):
        if f"bridge of {town} has" in block:
            number = passages[: passages.index(block)].rpartition("[")[2][:1] or block[1:2]
            name = block.partition("built by ")[2].partition(", who")[0].replace("\n", " ")
            return f"{name} [{block[1 : block.index(']')] if block.startswith('[') else number}]"
    return "Not in the passages." if passages else "Nobody knows"


def reading_server(make: Make, server: ModelServer) -> int:
    """A connection to a server; its id."""
    return make.model(name="Reader", kind="endpoint", base_url=server.url, reference="loopback-1", files={}).id
