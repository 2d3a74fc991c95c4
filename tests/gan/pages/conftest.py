"""A real browser for the tests of pages."""

from tests.browser import browser, tab

__all__ = ["browser", "tab"]
