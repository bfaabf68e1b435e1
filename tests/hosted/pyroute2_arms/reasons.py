"""Why tests of pyroute2 cannot pass on simkernel: what they need that is not modelled."""

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
    """Return why a test cannot pass, or nothing."""
    return next((reason for pattern, reason in REASONS if fnmatch(test, pattern)), "")
