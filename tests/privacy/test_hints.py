"""What is shown of a value tells what it is and not which one."""

import pytest

from app.privacy.detect import find
from app.privacy.hints import hint
from app.privacy.kinds import KINDS


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("e-mail address", "user@example.com", "u***@example.com"),
        ("e-mail address", "jo@example.com", "***@example.com"),
        ("e-mail address", "jane (at) example dot com", "***"),
        ("card number", "4111 1111-1111 1111", "*** 1111"),
        ("phone number", "+49 30 901820", "+49 ***"),
        ("phone number", "+4930901820", "***"),
        ("phone number", "030 901820", "***"),
        ("bank account number", "DE89 3704 0044 0532 0130 00", "DE***"),
        ("key or token", "ghp_Zq8Xv1Nw7BZq8Xv1Nw7B", "ghp_***"),
        ("key or token", "hunter2_secret", "***"),
        ("key or token", "Zq8Xv1Nw7BZq8Xv1Nw7B", "***"),
        ("network address", "10.1.2.3", "10.***"),
        ("network address", "fe80::1", "***"),
        ("crypto wallet", "bc1qar0srrr7xfkvy5l643", "bc1***"),
        ("social security number", "078-05-1120", "***"),
        ("national id number", "12345678Z", "***"),
    ],
)
def test_a_hint_hides_all_but_a_little(kind: str, value: str, shown: str) -> None:
    assert kind in KINDS
    assert hint(kind, value) == shown
    assert value not in shown


def test_a_hint_holds_nothing_that_would_be_found_again() -> None:
    text = "Write to amy.miller@acme-corp.com, pay 4111 1111 1111 1111, call +49 30 901820, use ghp_" + "Zq8Xv1Nw7B" * 4

    hints = [hint(one.kind, text[one.start : one.end]) for one in find(text)]

    assert len(hints) == 4
    assert find(" ".join(hints)) == []
