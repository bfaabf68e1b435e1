"""What a case is: a function that opens sockets, uses them and writes down what it sees.

@case()
def first_bind(world: World, log: Log) -> None:
    "The docstring says what is looked at."
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
    """A case, what it is called (`area.function`) and what it asks of its world."""

    run: Function
    name: str
    privileged: bool
    marks: tuple[str, ...]
    oracle: str
    """Name of the recording that judges the case (recording.ORACLES)."""

    @property
    def area(self) -> str:
        """The file it is in."""
        return self.name.partition(".")[0]

    @property
    def about(self) -> str:
        """Its docstring, on one line."""
        return " ".join((self.run.__doc__ or "").split())


def case(
    *, privileged: bool = False, marks: tuple[str, ...] = (), oracle: str = "linux-6.18"
) -> Callable[[Function], Case]:
    """Mark a function as a case, run with every capability if `privileged`, otherwise with none."""

    def mark(function: Function) -> Case:
        area = function.__module__.rpartition(".")[2]
        return Case(function, f"{area}.{function.__name__}", privileged, marks, oracle)

    return mark


def netlink(process: Process, proto: int, *, bind: Address | None = None) -> Socket:
    """A raw netlink socket, bound if an address is given."""
    sock = process.socket(AF_NETLINK, SOCK_RAW, proto)
    if bind is not None:
        sock.bind(bind)
    return sock


def load_cases() -> list[Case]:
    """Every case of the suite, area by area."""
    found: list[Case] = []
    for module in sorted(each.name for each in pkgutil.iter_modules([str(CASES)])):
        contents = vars(importlib.import_module(f"tests.conformance.cases.{module}"))
        found += [value for value in contents.values() if isinstance(value, Case)]
    return found
