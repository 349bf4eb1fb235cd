"""The small app in real Chromium."""

from tests.browser_support import chromium
from tests.small_app import app, people

__all__ = ["app", "chromium", "people"]
