"""How much may be tried at once. What is answered: `tests/results/test_trying.py`."""

import pytest

from app.trying.asking import Tries
from app.web.refusals import TooMany


def test_one_person_tries_one_thing_at_a_time() -> None:
    tries = Tries()
    with tries.one(1):
        with pytest.raises(TooMany, match="already"), tries.one(1):
            pass
        with tries.one(2), tries.one(3), tries.one(4), pytest.raises(TooMany, match="at once"), tries.one(5):
            pass
    with tries.one(1):
        pass
