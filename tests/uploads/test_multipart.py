"""A form with files, taken apart while it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Invalid
from app.uploads import multipart
from app.uploads.multipart import display_name
from tests.support.forms import form


@given(st.text(max_size=300))
def test_a_shown_name_cannot_turn_or_hide_text(name: str) -> None:
    shown = display_name(name)

    assert 0 < len(shown) <= 200
    assert not set(shown) & set("\u202e\u2066\u200b\n\r\x00\x1b\u2028")


def texts(body: bytes) -> list[str]:
    return [part.text() for part in multipart.parts(iter([body]), b"line")]


@given(st.lists(st.tuples(st.sampled_from(["file", "test"]), st.binary(max_size=200)), max_size=5), st.integers(1, 60))
def test_a_form_gives_the_same_parts_however_it_comes(files: list[tuple[str, bytes]], size: int) -> None:
    body = form(*((name, "x", value) for name, value in files if b"--line" not in value))

    found = [
        (part.name, b"".join(part.body))
        for part in multipart.parts((body[i : i + size] for i in range(0, len(body), size)), b"line")
    ]

    assert found == [(name, value) for name, value in files if b"--line" not in value]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        form(("file", "x", b"abc"))[:-12],
        b"--line\r\n" + b"X: y\r\n" * 200,
        form(*[("f", None, b"x")] * 30),
        b"\r\n" * 100_000,
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        texts(body)


def test_a_small_field_may_not_be_large() -> None:
    with pytest.raises(Invalid):
        texts(form(("human_checked", None, b"x" * 10_000)))
