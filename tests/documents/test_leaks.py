"""Test questions that stand in the documents are found; questions that only share words with them are not."""

from collections.abc import Callable

from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.assessments.tables import AssessmentRow
from app.datasets.tables import ExampleRow
from app.db import writing
from app.documents import leaks
from app.documents.tables import DocumentFileRow
from app.users.tables import UserRow
from tests.support.factories import Make

Add = Callable[..., list[DocumentFileRow]]

QUESTION = "How long does it take until a refund is on my account?"
ANSWER = "It takes three to five working days, counted from the day on which we got the parcel."


def test_a_question_that_stands_in_a_document_is_found_with_its_answer() -> None:
    found = leaks.find(
        [(QUESTION, ANSWER), (QUESTION.upper(), "yes"), ("Where is the office?", "There.")],
        ["About us. We sell shoes.", f"# Questions\n\n**{QUESTION}**\n\n{ANSWER}\n"],
    )

    assert [(one.question, one.document, one.answered) for one in found] == [(0, 1, True), (1, 1, False)]


def test_a_long_answer_counts_when_most_of_it_stands_there() -> None:
    words = ANSWER.split()  # 17 words, 13 runs of five
    most, half = " ".join(words[:16]), " ".join(words[:9])

    assert leaks.find([(QUESTION, ANSWER)], [f"{QUESTION} {most}"])[0].answered
    assert leaks.find([(QUESTION, ANSWER)], [f"{QUESTION} {half}"])[0].answered is False


def test_a_short_answer_counts_as_whole_words() -> None:
    assert leaks.find([(QUESTION, "five days")], [f"{QUESTION} Five days."])[0].answered
    assert leaks.find([(QUESTION, "five")], [f"{QUESTION} Fivefold."])[0].answered is False


def test_a_short_answer_counts_only_soon_after_its_question() -> None:
    far = f"Yes, we are open. {QUESTION} {'See the list of the shops. ' * 20} Yes."

    assert leaks.find([(QUESTION, "yes")], [f"{QUESTION} Yes."])[0].answered
    assert leaks.find([(QUESTION, "yes")], [far])[0].answered is False


def test_questions_without_spaces_are_found_too() -> None:
    asked, other = (
        "\u8bf7\u95ee\u5317\u4eac\u5230\u4e0a\u6d77\u7684\u9ad8\u94c1\u8981\u591a\u4e45",
        "\u8bf7\u95ee\u4ef7\u683c",
    )

    found = leaks.find(
        [(asked, "\u56db\u5c0f\u65f6"), (other, "\u4e0d")], [f"{other}\u3002{asked}\uff1f\u56db\u5c0f\u65f6"]
    )

    assert [(one.question, one.answered) for one in found] == [(0, True)]


def test_words_in_another_order_are_no_leak() -> None:
    assert (
        leaks.find([(QUESTION, ANSWER)], [" ".join(sorted(QUESTION.split())), "How long does it take to walk?"]) == []
    )


def test_the_page_names_row_and_document(
    make: Make,
    me: UserRow,
    assessment: AssessmentRow,
    read: Add,
    engine: Engine,
    people: Callable[[UserRow], TestClient],
) -> None:
    client = people(me)
    address = f"/assessments/{assessment.id}/documents/test-rows"
    assert "It takes checked examples" in client.get(address).text
    dataset = make.dataset(assessment, me)
    with writing(engine) as session:
        session.add(
            ExampleRow(
                dataset_id=dataset.id,
                line=99_001,
                status="usable",
                split="test",
                messages=[{"role": "user", "content": QUESTION}],
                target=ANSWER,
            )
        )
    read(("faq.md", f"# Questions\n\n{QUESTION}\n\n{ANSWER}\n".encode()))

    page = " ".join(client.get(address).text.split())

    assert "test questions stands in the documents, 1 with its answer." in page
    assert f'<a href="/datasets/{dataset.id}/rows/99001">' in page
    assert client.get(f"/datasets/{dataset.id}/rows/99001").status_code == 200
    said = client.get(f"/api/v1{address}").json()
    assert (said["dataset_id"], said["documents"], said["whole"]) == (dataset.id, 1, True)
    assert [(one["line"], one["question"], one["answered"]) for one in said["data"]] == [(99_001, QUESTION, True)]
    assert "Check for test-set leakage" in client.get(f"/assessments/{assessment.id}/documents").text
