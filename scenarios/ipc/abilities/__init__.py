"""What each way can do: a table, each cell of which is what came of trying it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import attrs

from ..ways.way import Settings, Way
from . import messages, rights, telling

Demonstration = Callable[[Any, type[Way], Settings], str]


@attrs.frozen
class Ability:
    """A column: what it is called, what is tried, and the group of columns that it is shown in."""

    name: str
    title: str
    group: str
    demonstrate: Demonstration


TELLING, MESSAGES, RIGHTS = "Who begins, who hears", "What becomes of messages", "Between whom, at what cost"

ABILITIES: Final = (
    Ability("starts", "other may start", TELLING, telling.starts),
    Ability("polling", "needs polling", TELLING, telling.polling),
    Ability("multicast", "multicast", TELLING, telling.multicast),
    Ability("bounds", "bounds kept", MESSAGES, messages.bounds),
    Ability("flow", "flow, if unread", MESSAGES, messages.flow),
    Ability("extensible", "extensible", MESSAGES, messages.extensible),
    Ability("between", "between programs", RIGHTS, rights.between),
    Ability("copies", "copies per byte", RIGHTS, rights.copies),
    Ability("permission", "permission", RIGHTS, rights.permission),
)
