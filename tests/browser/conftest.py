"""The small app, for real Chromium."""

from tests.support.small_app import app, people

__all__ = ["app", "people"]
