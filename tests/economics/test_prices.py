"""The list of prices as a file: what comes back, what is refused, and what a spreadsheet may not run."""

import csv
import io
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.economics import prices
from app.economics.prices import Price
from app.errors import Invalid

TODAY = date(2026, 11, 23)
HEAD = "name,unit,price,currency,dated,source\n"
LINE = "Small,input_tokens,0.25,EUR,2026-11-01,contract"

texts = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp", "Cf", "Cn", "Co"]), min_size=1, max_size=40)


def lines(*rows: str) -> bytes:
    return (HEAD + "\n".join(rows) + "\n").encode()


def faults(raw: bytes) -> list[str]:
    with pytest.raises(Invalid) as refused:
        prices.from_csv(raw, TODAY)
    return [error.detail for error in refused.value.errors]


@pytest.mark.parametrize("name", ["=1+1", "+x", "-2", "@SUM(A1)", "'quoted", "plain", 'with "quotes", commas'])
def test_no_cell_runs_in_a_spreadsheet_and_every_name_comes_back(name: str) -> None:
    one = Price(name, "input_tokens", 0.0000001, "EUR", TODAY, f"{name} page")

    raw = prices.to_csv([one])

    cells = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"))))[1]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)
    assert prices.from_csv(raw, TODAY) == [one]


@given(texts, texts, st.floats(0, 1e9), st.sampled_from([unit for unit in prices.UNITS if unit != "batch_share"]))
def test_what_is_exported_can_be_imported(name: str, source: str, price: float, unit: str) -> None:
    given = {"name": name, "unit": unit, "price": f"{price:.12f}", "currency": "eur", "dated": "2026-11-01"}
    try:
        one = prices.read({**given, "source": source}, TODAY)
    except Invalid:
        assert not (name.strip() and source.strip())
        return

    assert prices.from_csv(prices.to_csv([one]), TODAY) == [one]


@pytest.mark.parametrize(
    "raw",
    [
        lines(LINE),
        b"\xef\xbb\xbf" + lines(LINE),
        lines(LINE).replace(b",", b";"),
        lines(LINE).replace(b",", b"\t"),
        lines(LINE).replace(b"\n", b"\r\n"),
        b"Source,note,Dated,Currency,Price,Unit,Name\ncontract,x,2026-11-01,eur,0.25,input_tokens,Small\n\n",
    ],
)
def test_files_of_several_makes_are_read(raw: bytes) -> None:
    assert prices.from_csv(raw, TODAY) == [Price("Small", "input_tokens", 0.25, "EUR", date(2026, 11, 1), "contract")]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"name,unit\nx,y\n", "The first line lacks: price, currency, dated, source."),
        (HEAD.encode(), "There is no price in it"),
        (b"", "Use a file of 1 to"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"x" * 1_000_001, "larger than a list of prices"),
        (b'name\n"unclosed', "no CSV"),
        (lines("Small,input_tokens,-1,EUR,2026-11-01,x"), "Line 2. price:"),
        (lines("Small,input_tokens,nan,EUR,2026-11-01,x"), "Line 2. price:"),
        (lines("Small,input_tokens,1,Euro,2026-11-01,x"), "Line 2. currency:"),
        (lines("Small,pound,1,EUR,2026-11-01,x"), "Line 2. unit:"),
        (lines("Small,input_tokens,1,EUR,2027-01-01,x"), "Line 2. dated:"),
        (lines("Small,input_tokens,1,EUR,soon,x"), "Line 2. dated:"),
        (lines("Small,batch_share,1.5,,2026-11-01,x"), "Line 2. price: Use a share"),
        (lines("Small,input_tokens,1,EUR,2026-11-01,"), "Line 2. source:"),
        (lines(LINE, LINE), "Line 3. Small has a price for input_tokens already."),
        (lines(LINE, "Small"), "Line 3. source:"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole_with_its_lines(raw: bytes, sentence: str) -> None:
    assert any(sentence in fault for fault in faults(raw))


def test_a_batch_share_has_no_currency() -> None:
    (one,) = prices.from_csv(lines("Small,batch_share,0.5,EUR,2026-11-01,x"), TODAY)

    assert (one.price, one.currency) == (0.5, "")


def test_ninety_days_are_not_old_and_ninety_one_are() -> None:
    one = Price("Small", "input_tokens", 1, "EUR", TODAY - timedelta(days=90), "x")

    assert not one.old(TODAY)
    assert one.old(TODAY + timedelta(days=1))


def test_a_name_has_token_prices_only_with_input_and_output() -> None:
    half = Price("Half", "input_tokens", 1, "EUR", TODAY, "x")
    whole = [Price("Whole", unit, 2, "EUR", TODAY, "x") for unit in ("input_tokens", "output_tokens")]

    assert list(prices.rates_of([half, *whole])) == ["Whole"]
