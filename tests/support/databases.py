"""Which database a test runs on."""

import pytest

# A test that asks for `either` runs on SQLite and PostgreSQL; marked with this, on PostgreSQL only when deep: what does
# not depend on the dialect is not worth the second database in the quick suite.
postgres_is_deep = pytest.mark.parametrize(
    "either", ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.deep])], indirect=True
)
