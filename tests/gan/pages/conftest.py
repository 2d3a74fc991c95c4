"""A real browser for the tests of pages."""

from tests.browser import address_of, browser, tab

__all__ = ["address_of", "browser", "tab"]
