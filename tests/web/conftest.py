"""The small app and its people."""

from tests.support.small_app import app, people

__all__ = ["app", "people"]
