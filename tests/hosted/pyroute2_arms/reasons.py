"""Reasons why some tests of pyroute2 cannot pass on simkernel: they use features that simkernel does not
model.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import yaml

REASONS: Final[list[tuple[str, str]]] = [
    (pattern, reason)
    for reason, patterns in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8")).items()
    for pattern in patterns
]


def reason(test: str) -> str:
    """Return the reason why a test cannot pass, or "" if it can."""
    return next((reason for pattern, reason in REASONS if fnmatch(test, pattern)), "")
