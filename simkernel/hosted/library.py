"""Tables of the standard library for hosted programs: which modules are shared, absent or raise NotModelled.

A module that is not in library.yaml is reread if it is written in Python (importing.py), and shared if it
is written in C.  tests/hosted/test_library.py fails if a new version of Python has a C module without a
decision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

_TABLES: Final[dict[str, Any]] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))

SHARED: Final = frozenset(_TABLES["shared"].split())
OWN: Final = frozenset(_TABLES["own"].split())
ABSENT: Final = {name: reason for reason, names in _TABLES["absent"].items() for name in names.split()}
REFUSED: Final = {name: tuple(kept.split()) for name, kept in _TABLES["refused"].items()}
