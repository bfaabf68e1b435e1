"""A hosted program with a probe for each function of the standard library that could access the host.

`PROBES` has the outcome of each probe, which a table of the guide shows:

    machine     acts on the machine: the probe asserts it, or returns the paths of files that it has created
    seed        draws from the machine's seed
    refused     raises an error that names the call and the reason
    harmless    does not access the host
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Probe = Callable[[], Any]
PROBES: dict[str, tuple[str, Probe]] = {}
FOLDER = "/tmp/simkernel-probe"


def probe(outcome: str, name: str) -> Callable[[Probe], Probe]:
    """Register a function as the probe of `name`."""

    def enter(function: Probe) -> Probe:
        assert name not in PROBES
        PROBES[name] = outcome, function
        return function

    return enter


def path(name: str) -> str:
    """Return the path of a file in a directory that exists only on the machine."""
    import os

    os.makedirs(FOLDER, exist_ok=True)
    return f"{FOLDER}/{name}"


def text(name: str, content: str) -> str:
    """Write a file on the machine and return its path."""
    with open(path(name), "w") as file:
        file.write(content)
    return path(name)


def load() -> None:
    """Import all modules with probes."""
    from probes import chance, files, identity, logs, network, processes, times  # noqa: F401
