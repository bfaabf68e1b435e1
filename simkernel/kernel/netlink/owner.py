"""Reference counting of the module that owns a protocol, a family or a dump."""

from __future__ import annotations

from typing import Protocol


class Owner(Protocol):
    """Interface of a loaded module. Netlink uses only these attributes and methods of a module."""

    references: int

    @property
    def name(self) -> str:
        """Name of the module. In a trace file, the module's operations are on a track of this name."""

    def try_get(self) -> bool:
        """Take a reference, which prevents unloading (`try_module_get()`).

        Return False if the module is already being unloaded.
        """

    def put(self) -> None:
        """Drop a reference (`module_put()`)."""


def get_owner(owner: Owner | None) -> bool:
    """Take a reference to a module (`try_module_get()`).

    Return False if the module is being unloaded. `owner` is None for built-in code, which needs no
    reference.
    """
    return owner is None or owner.try_get()


def put_owner(owner: Owner | None) -> None:
    """Drop a reference that `get_owner` took (`module_put()`)."""
    if owner is not None:
        owner.put()
