"""The table of situations. An entry describes behaviour of Linux. It has links to issues of public projects,
and an example program.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs
import yaml


@attrs.frozen
class Situation:
    """An entry in the table of situations. A situation is behaviour of Linux that a test can request.

    The function that requests it has the same name, with `_` instead of `-`.
    """

    name: str
    summary: str
    linux: str
    """Description of Linux's behaviour, with the names of the kernel functions."""
    needs: str
    """Conditions that the program or the machine must meet before the situation can happen."""
    evidence: tuple[str, ...]
    """URLs of issues and pull requests of public projects, that concern the situation."""
    snippet: str
    """Source code of a program that requests the situation.  A test runs it."""


def _read() -> dict[str, Situation]:
    entries = yaml.safe_load(Path(__file__).with_name("situations.yaml").read_text("utf-8"))
    return {
        name: Situation(name, **{**entry, "evidence": tuple(entry["evidence"])})
        for name, entry in entries.items()
    }


SITUATIONS: Final[Mapping[str, Situation]] = MappingProxyType(_read())
"""The descriptions of all situations, by name."""
