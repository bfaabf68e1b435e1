"""A case: a function that makes system calls and records their results.

@case()
def first_bind(world: World, log: Log) -> None:
    "The kernel assigns a port id."
    s = world.socket(AF_NETLINK, SOCK_RAW, USERSOCK)
    log.call("bind", s.bind, (0, 0))
    log.auto(s)
    log.name("name", s)
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import attrs

from simkernel.uapi.socket import AF_NETLINK, SOCK_RAW
from tests.conformance.log import Log
from tests.conformance.world import Address, Process, Socket, World

CASES = Path(__file__).parent / "cases"

Function = Callable[[World, Log], None]


@attrs.frozen
class Case:
    """A conformance case: its function, its name (`area.function`) and its requirements."""

    run: Function
    name: str
    privileged: bool
    marks: tuple[str, ...]
    oracle: str
    """Name of the recording that has the expected results (a key of recording.ORACLES)."""

    @property
    def area(self) -> str:
        """Name of the module that defines the case."""
        return self.name.partition(".")[0]

    @property
    def about(self) -> str:
        """The function's docstring on one line."""
        return " ".join((self.run.__doc__ or "").split())


def case(
    *, privileged: bool = False, marks: tuple[str, ...] = (), oracle: str = "linux-6.18"
) -> Callable[[Function], Case]:
    """Mark a function as a case. It runs with every capability if `privileged`, otherwise with none."""

    def mark(function: Function) -> Case:
        area = function.__module__.rpartition(".")[2]
        return Case(function, f"{area}.{function.__name__}", privileged, marks, oracle)

    return mark


def netlink(process: Process, proto: int, *, bind: Address | None = None) -> Socket:
    """Return a raw netlink socket of a protocol. If an address is given, bind the socket to it."""
    sock = process.socket(AF_NETLINK, SOCK_RAW, proto)
    if bind is not None:
        sock.bind(bind)
    return sock


def load_cases() -> list[Case]:
    """Return all cases of the suite, ordered by area."""
    found: list[Case] = []
    for module in sorted(each.name for each in pkgutil.iter_modules([str(CASES)])):
        contents = vars(importlib.import_module(f"tests.conformance.cases.{module}"))
        found += [value for value in contents.values() if isinstance(value, Case)]
    return found
