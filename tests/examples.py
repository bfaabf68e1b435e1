"""Number of examples of property tests: all with `--hypothesis-profile=thorough`, a quarter of them by
default.
"""

from __future__ import annotations

from hypothesis import settings


def examples(thorough: int) -> int:
    """Return the number of examples for a property test. With hypothesis's profile "thorough", it is the
    argument `thorough`. By default, it is a quarter of the argument. The minimum is 5.
    """
    return max(5, thorough * settings.default.max_examples // 100)
