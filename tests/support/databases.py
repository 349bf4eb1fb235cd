"""Which database a test runs on.

A test that asks for `either` runs on SQLite, and in the deep suite on PostgreSQL, too. What depends on the dialect says
so by one of these marks, and is tried on PostgreSQL in the quick suite as well.
"""

import pytest

_POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)

# SQL of our own: migrations, triggers, searches.
on_both = pytest.mark.parametrize("either", ["sqlite", _POSTGRES], indirect=True)
# What several do at once, which SQLite lets one do after the other.
postgres_first = pytest.mark.parametrize(
    "either", [pytest.param("sqlite", marks=pytest.mark.deep), _POSTGRES], indirect=True
)
