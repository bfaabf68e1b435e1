"""What differs from one machine to another."""

from __future__ import annotations

import platform
from importlib.metadata import version


def host() -> dict[str, str]:
    """simkernel, the interpreter and the system, by name and version."""
    return {
        "simkernel": version("simkernel"),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
    }
