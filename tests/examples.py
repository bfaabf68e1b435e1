"""Number of examples of properties: a quarter by default, all with `--hypothesis-profile=thorough`."""

from __future__ import annotations

from hypothesis import settings


def examples(thorough: int) -> int:
    """Return the number of examples in the current profile; `thorough` is the number in the thorough one."""
    return max(5, thorough * settings.default.max_examples // 100)
