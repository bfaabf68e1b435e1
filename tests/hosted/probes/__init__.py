"""A hosted program that uses each part of the standard library that could act on the host.

`PROBES` has each probe's outcome, which the guide's table repeats:

    machine     acts on the machine: the probe asserts it, or returns the paths of files that it has made
    seed        draws from the machine's seed
    refused     raises an error that names the call and the reason
    harmless    does not act on the host
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
    """Return the path of a file in a folder of the machine that no host has."""
    import os

    os.makedirs(FOLDER, exist_ok=True)
    return f"{FOLDER}/{name}"


def text(name: str, content: str) -> str:
    """Write a file in the machine, and return its path."""
    with open(path(name), "w") as file:
        file.write(content)
    return path(name)


def load() -> None:
    """Import the modules of the probes."""
    from probes import chance, files, identity, logs, network, processes, times  # noqa: F401
