"""The small app and its people."""

from tests.small_app import app, people

__all__ = ["app", "people"]
