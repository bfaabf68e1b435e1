"""The parts of a result that depend on the host."""

from __future__ import annotations

import platform
from importlib.metadata import version


def host() -> dict[str, str]:
    """Return names and versions of simkernel, the interpreter and the operating system."""
    return {
        "simkernel": version("simkernel"),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
    }
