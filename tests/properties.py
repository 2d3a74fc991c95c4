from hypothesis import settings


def examples(most: int) -> settings:
    """How many examples a property test tries: this many, or as many as the profile allows (tests/conftest.py)."""
    return settings(max_examples=min(most, settings.default.max_examples))
