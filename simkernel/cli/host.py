"""Facts about the host that a measurement depends on: the Python interpreter, the system, and versions."""

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
