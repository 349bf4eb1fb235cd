"""Browsers for the tests of the questionnaire."""

from tests.browser_support import chromium

__all__ = ["chromium"]
