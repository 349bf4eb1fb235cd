"""Arms with passages from plan to page: offered for reasons, asked with what was found, told apart when wrong."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments import store as assessment_store
from app.assessments.tables import AssessmentRow
from app.audit.tables import EntryRow
from app.baselines import answer_store, catalogue, facts, job, passages_view, planning, runs, standing, store
from app.baselines.offers import Context, Offer
from app.baselines.order import BaselineRequest
from app.baselines.tables import ArmRow, BaselineRow
from app.blobs import Blobs
from app.datasets import store as dataset_store
from app.db import reading, utcnow, writing
from app.errors import Invalid
from app.inference.tables import ModelRow
from app.jobs import engine as job_engine
from app.jobs import service as jobs
from app.jobs.claims import Failed
from app.relevance import service as relevance
from app.relevance.tables import PassageMarkRow
from app.settings import Settings
from app.users.tables import UserRow
from tests.support.corpus import TOWNS, Corpus, a_corpus, builder, reader, reading_server
from tests.support.factories import Make
from tests.support.indexed import by_words
from tests.support.model_server import ModelServer, serving

People = Callable[[UserRow], TestClient]
ARMS = ("zero_shot", "rag/lexical", "oracle")


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving(reader) as running:
        yield running


@pytest.fixture
def corpus(make: Make, engine: Engine, settings: Settings, queue: job_engine.Client, blobs: Blobs) -> Corpus:
    return a_corpus(make, engine, settings, queue, blobs, absent=[14, 15])


def offered(corpus: Corpus, **different: Any) -> dict[str, Offer]:
    with reading(corpus.engine) as session:
        assessment = assessment_store.get(session, corpus.assessment.id)
        dataset = dataset_store.get(session, corpus.dataset.id)
        examples = {split: dataset_store.rows(session, dataset.id, split) for split in ("train", "dev", "test")}
        order = replace(BaselineRequest(model_id=0, instructions="Answer."), **different)
        made = catalogue.offers(Context(session, assessment, dataset, examples, order))
        return {offer.arm.name: offer for offer in made}


def measured(corpus: Corpus, model_id: int, *arms: str) -> BaselineRow:
    with writing(corpus.engine) as session:
        jobs.bind(session, corpus.queue)
        order = BaselineRequest(
            model_id=model_id, instructions="Answer with the name.", arms=arms or ARMS, consent=True, racing=False
        )
        number = runs.start(session, corpus.assessment.id, order, by=corpus.author).id
    corpus.run("measure", number, job.measure)
    with reading(corpus.engine) as session:
        return store.get(session, number)


def arm_of(baseline: BaselineRow, name: str) -> ArmRow:
    return next(arm for arm in baseline.arms if arm.name == name)


def test_each_arm_is_offered_or_says_what_is_missing(corpus: Corpus) -> None:
    before = offered(corpus)
    assert "Build an index" in before["rag/lexical"].against
    assert before["rag/lexical"].mend.endswith("/retrieval")
    index = corpus.index()
    unchecked = offered(corpus)
    assert (unchecked["rag/lexical"].proposed, unchecked["rag/lexical"].against) == (True, "")
    assert "not measured yet" in unchecked["rag/lexical"].why
    assert "Check retrieval first" in unchecked["oracle"].against
    assert "Choose a model" in unchecked["whole_corpus"].against
    corpus.check()

    after = offered(corpus, passage_instructions="Use the passages.")
    rag = after["rag/lexical"].arm
    assert rag.settings["passages"] == {"way": "lexical", "k": 5, "index": index.id, "sha256": index.sha256}
    assert rag.settings["instructions"] == "Answer.\n\nUse the passages."
    assert "Recall@5 100 % on 22 dev rows" in after["rag/lexical"].why
    assert after["rag/lexical"].characters > 400
    assert after["oracle"].proposed
    assert after["oracle"].arm.settings["passages"]["known_by"] == {"quotation": 28}  # dev and test
    corpus.add(("more.md", b"# More\n\nA page that no index knows."))
    assert "Build an index" in offered(corpus)["oracle"].against


def test_the_plan_says_on_how_many_rows_the_oracle_is_asked(corpus: Corpus, people: People) -> None:
    corpus.index()
    corpus.check()

    page = " ".join(people(corpus.author).get(f"/assessments/{corpus.assessment.id}/measure").text.split())

    assert "On 24 dev rows (Oracle retrieval on 22); the best prompt" in page
    assert "24 dev rows for each variant that asks a model (fewer where it can be asked only some)" in page


def test_a_measurement_with_passages_says_what_they_add_and_how_it_fails(
    corpus: Corpus, make: Make, server: ModelServer, people: People
) -> None:
    corpus.index()
    corpus.check()
    baseline = measured(corpus, reading_server(make, server))

    rag, oracle, plain = (arm_of(baseline, name) for name in ("rag/lexical", "oracle", "zero_shot"))
    assert plain.dev is not None
    assert plain.dev.passed == 0
    assert rag.dev is not None
    assert rag.dev.passed == 24  # with the citations taken off, and the two refusals
    assert oracle.dev is not None
    assert (oracle.dev.n, oracle.dev.passed) == (22, 22)  # only where the right passage is known
    assert oracle.test is None  # nobody could use it
    best = standing.best(baseline)
    assert best is not None
    assert best.name == "rag/lexical"

    with reading(corpus.engine) as session:
        evidence = facts.measured(session, corpus.assessment.id)
        assert evidence.oracle_gain == 1.0
        assert evidence.rows_carry_context is False
        summary = passages_view.summary(session, store.arm(session, rag.id), "dev")
        answer = answer_store.answers(session, rag.id, "dev")[0]
    assert summary is not None
    assert (summary.refusals.rightly.some, summary.refusals.rightly.rows) == (2, 2)
    assert (summary.refusals.wrongly.some, summary.refusals.wrongly.rows) == (0, 22)
    assert answer.output == builder(10)
    assert answer.details is not None
    assert answer.details["written"].startswith(f"{builder(10)} [")
    assert set(answer.details["gold"]) <= {passage for passage, _ in answer.details["passages"]}

    client = people(corpus.author)
    page = client.get(f"/answers/{answer.id}").text
    assert "prompt verified" in page
    assert ">gold</span>" in page
    assert ">cited</span>" in page
    assert "RAG, lexical, 5 passages" in client.get(f"/assessments/{corpus.assessment.id}/measure").text


def test_failures_of_retrieval_and_of_the_model_are_told_apart(
    corpus: Corpus, make: Make, server: ModelServer, people: People
) -> None:
    def careless(body: dict[str, Any]) -> str:
        asked = str(body["messages"][-1]["content"]).rpartition("bridge of ")[2].rstrip("?")
        if asked == TOWNS[12]:
            return "Wrong"
        said = reader(body)
        if asked == TOWNS[10]:
            return "Somebody else entirely"
        return f"{said} of {asked}" if asked == TOWNS[11] else said

    server.reply = careless
    corpus.index()
    check = corpus.check()
    # Of one row people say that another passage is right, which lexical search does not find.
    row = sorted(map(int, check.hits))[2]
    with writing(corpus.engine) as session:
        far = next(one for one in range(1, 200) if one not in check.hits[str(row)]["lexical"])
        relevance.mark(session, corpus.blobs, check.id, row, far, corpus.author)
    model_id = reading_server(make, server)
    rag = arm_of(measured(corpus, model_id, "rag/lexical"), "rag/lexical")

    client = people(corpus.author)
    got = client.get(f"/api/v1/baselines/{rag.baseline_id}/arms/{rag.id}/passages").json()
    assert (got["missed"], got["unused"], got["misused"], got["unknown"]) == (1, 1, 1, 0)
    page = client.get(f"/baselines/{rag.baseline_id}/arms/{rag.id}?show=wrong&failure=missed").text
    assert f"Who built the bridge of {TOWNS[12]}?" in page
    assert f"Who built the bridge of {TOWNS[10]}?" not in page
    assert "No gold passage was among the 5 passages retrieved." in page  # the suggested cause


def test_the_whole_corpus_is_asked_where_it_fits(corpus: Corpus, make: Make, server: ModelServer) -> None:
    model_id = reading_server(make, server)
    assert "how many tokens" in offered(corpus, model_id=model_id)["whole_corpus"].against
    with writing(corpus.engine) as session:
        session.get_one(ModelRow, model_id).context_window = 2_000
    assert "reads 2,000" in offered(corpus, model_id=model_id)["whole_corpus"].against
    with writing(corpus.engine) as session:
        session.get_one(ModelRow, model_id).context_window = 200_000
    whole = arm_of(measured(corpus, model_id, "zero_shot", "whole_corpus"), "whole_corpus")
    assert whole.dev is not None
    assert whole.dev.passed == 24


def test_documents_that_change_while_a_measurement_waits_are_not_asked(
    corpus: Corpus, make: Make, server: ModelServer
) -> None:
    """What it was planned with is not there any more; nobody approved of anything else."""
    model_id = reading_server(make, server)
    with writing(corpus.engine) as session:
        session.get_one(ModelRow, model_id).context_window = 200_000
        jobs.bind(session, corpus.queue)
        order = BaselineRequest(
            model_id=model_id, instructions="Answer.", arms=("zero_shot", "whole_corpus"), consent=True, racing=False
        )
        number = runs.start(session, corpus.assessment.id, order, by=corpus.author).id
    corpus.add(("more.md", b"# More\n\nA page that came later."))

    with pytest.raises(Failed, match="documents have changed"):
        corpus.run("measure", number, job.measure)
    assert not any("A page that came later" in question for question in server.questions)


def test_a_server_that_embeds_gets_no_question_without_consent_or_against_the_answer(
    corpus: Corpus, make: Make, server: ModelServer, people: People
) -> None:
    """Whoever built the index agreed to send documents; the questions of dev and test rows are others."""
    model_id = reading_server(make, server)

    def faults(way: str, *consents: int) -> list[str]:
        order = BaselineRequest(
            model_id=model_id,
            instructions="Answer.",
            arms=("zero_shot", f"rag/{way}"),
            consent=True,
            consents=consents,
        )
        try:
            with reading(corpus.engine) as session:
                planning.plan(session, corpus.assessment.id, order)
        except Invalid as refusal:
            return [fault.field for fault in refusal.errors]
        return []

    with serving(by_words) as embeds:
        server_of = {"kind": "endpoint", "base_url": embeds.url, "reference": "words", "files": {}}
        other = make.model(name="Embeds", purpose="embeddings", **server_of)
        index = corpus.index(embedder=f"endpoint:{other.id}")
        assert faults("hybrid") == faults("embedding") == ["consents"]
        assert faults("lexical") == faults("hybrid", other.id) == []
        page = people(corpus.author).get(f"/assessments/{corpus.assessment.id}/measure").text
        assert f'name="also-{other.id}"' in page
        assert "it embeds each question to search passages" in page

        with writing(corpus.engine) as session:
            jobs.bind(session, corpus.queue)
            order = BaselineRequest(
                model_id, "Answer.", arms=("zero_shot", "rag/hybrid"), consent=True, consents=(other.id,)
            )
            runs.start(session, corpus.assessment.id, order, by=corpus.author)
            noted = session.query(EntryRow).filter_by(act="baseline.start").one().detail
        assert noted["sent_to_others"] == [embeds.url]

        embeds.calls.clear()
        with (
            reading(corpus.engine) as session,
            relevance.opened(corpus.settings, session, corpus.blobs, index, "lexical") as searcher,
        ):
            assert searcher.search(["the stone bridge"], "lexical", 1)[0]
        assert embeds.calls == []  # words need no server, which may be down

    with writing(corpus.engine) as session:
        session.get_one(ModelRow, other.id).base_url = "https://embeds.example.org/v1"
        case = session.get_one(AssessmentRow, corpus.assessment.id)
        case.answers = {**case.answers, "data_location": "own_servers"}
    assert "may not leave your own servers" in offered(corpus)["rag/hybrid"].against
    assert offered(corpus)["rag/lexical"].against == ""


def test_marks_of_another_assessment_are_none_of_this_one(corpus: Corpus, make: Make) -> None:
    """Not even of the same question in the same index."""
    index, check = corpus.index(), corpus.check()
    other = make.assessment(corpus.author)
    with reading(corpus.engine) as session:
        before = relevance.known(session, check)
        asked = next(row for row in dataset_store.rows(session, corpus.dataset.id, "dev") if row.id not in before.gold)
    with writing(corpus.engine) as session:
        session.add(
            PassageMarkRow(
                assessment_id=other.id,
                key=relevance.key_of(asked),
                index_id=index.id,
                passage_id=1,
                marked_by=corpus.author.id,
                marked_at=utcnow(),
            )
        )

    with reading(corpus.engine) as session:
        assert relevance.known(session, check) == before


def test_the_plan_counts_the_oracles_rows_as_they_are_asked(corpus: Corpus, make: Make, people: People) -> None:
    corpus.index()
    corpus.check()
    model_id = make.model(name="M", kind="endpoint", base_url="http://127.0.0.1:9/v1", reference="m", files={}).id
    body = {"model_id": model_id, "instructions": "Answer.", "arms": ["zero_shot", "oracle"]}
    address = f"/api/v1/assessments/{corpus.assessment.id}/baselines/offers"

    answered = people(corpus.author).post(address, json=body).json()

    calls = {offer["key"]: offer["calls"] for offer in answered["data"]}
    assert (calls["zero_shot"], calls["oracle"]) == (24, 22), "two dev rows have no gold passage"
    assert answered["estimate"]["calls"] == 24 + 22 + 6
    assert answered["estimate"]["most_calls"] == 24 + 22 + 6, "the oracle is no rival on the test rows"


def test_exported_answers_bring_the_passages_that_they_saw(
    corpus: Corpus, make: Make, server: ModelServer, people: People
) -> None:
    corpus.index()
    corpus.check()
    baseline = measured(corpus, reading_server(make, server))
    client = people(corpus.author)

    lines = [
        json.loads(line) for line in client.get(f"/api/v1/baselines/{baseline.id}/answers.jsonl").text.splitlines()
    ]

    oracle = [line for line in lines if line["arm"] == "oracle"]
    assert all(len(line["passages"]) == 1 and line["passages"][0]["gold"] for line in oracle)
    assert all(builder(line["line"] - 1) in line["passages"][0]["text"] for line in oracle)
    rag = next(line for line in lines if line["arm"] == "rag/lexical")
    assert len(rag["passages"]) == 5
    assert {"id", "title", "text", "score", "gold"} == rag["passages"][0].keys()
    assert all(line["passages"] == [] and line["constraint"] is None for line in lines if line["arm"] == "zero_shot")
    table = client.get(f"/api/v1/baselines/{baseline.id}/answers.csv").text
    assert f"[1] {oracle[0]['passages'][0]['title']}" in table
