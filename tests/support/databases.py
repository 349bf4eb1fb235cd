"""Which database a test runs on: a test that asks for `either` runs on both, unless it is marked with this.

Only what depends on the dialect is worth the second database in the quick suite.
"""

import pytest

POSTGRES_ONLY_DEEP = [pytest.mark.postgres, pytest.mark.deep]
postgres_is_deep = pytest.mark.parametrize(
    "either", ["sqlite", pytest.param("postgres", marks=POSTGRES_ONLY_DEEP)], indirect=True
)
