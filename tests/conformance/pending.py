"""Recorded cases that simkernel does not show, each with what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PENDING: Final[Mapping[str, str]] = {"dummies.settings": "RTM_NEWNETCONF and RTM_DELNETCONF"}
