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
    Ability("starts", "other side may start", TELLING, telling.starts),
    Ability("polling", "needs polling", TELLING, telling.polling),
    Ability("multicast", "multicast: 3 listen", TELLING, telling.multicast),
    Ability("bounds", "bounds kept", MESSAGES, messages.bounds),
    Ability("flow", "nobody reads", MESSAGES, messages.flow),
    Ability("extensible", "old reader, new field", MESSAGES, messages.extensible),
    Ability("between", "works between programs", RIGHTS, rights.between),
    Ability("copies", "copies per byte", RIGHTS, rights.copies),
    Ability("permission", "permission", RIGHTS, rights.permission),
)
