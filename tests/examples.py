"""Number of examples of property tests: a quarter by default, all with `--hypothesis-profile=thorough`."""

from __future__ import annotations

from hypothesis import settings


def examples(thorough: int) -> int:
    """Return the number of examples in hypothesis's current profile. The profile `thorough` has `thorough`
    examples.
    """
    return max(5, thorough * settings.default.max_examples // 100)
