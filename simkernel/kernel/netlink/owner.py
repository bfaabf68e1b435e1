"""The module that a protocol, a family or a dump belongs to."""

from __future__ import annotations

from typing import Protocol


class Owner(Protocol):
    """A loaded module, as far as netlink uses it."""

    references: int

    @property
    def name(self) -> str:
        """Its name; tracepoints of its own work go to a track of that name."""

    def try_get(self) -> bool:
        """Take a reference, which keeps it loaded; False if it is being unloaded (`try_module_get()`)."""

    def put(self) -> None:
        """Drop a reference (`module_put()`)."""


def get_owner(owner: Owner | None) -> bool:
    """Take a reference to a module; built-in code (None) always has one (`try_module_get()`)."""
    return owner is None or owner.try_get()


def put_owner(owner: Owner | None) -> None:
    """Drop the reference (`module_put()`)."""
    if owner is not None:
        owner.put()
