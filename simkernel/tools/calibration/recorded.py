"""The measurements of a real kernel that are shipped with simkernel, and the error of the default costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_name("linux-6.18.json")


def accuracy() -> str:
    """Return a text with the error of the cost model. The error was measured on operations that the fit had
    not used.

    The error is stored in the file, because a simulation of every operation takes longer than a short
    scenario.
    """
    recorded: dict[str, Any] = json.loads(RECORDED.read_text("utf-8"))
    kernel = ".".join(recorded["kernel"].split(".")[:2])
    middle, most = (100 * recorded["predicted"][name] for name in ("median_error", "largest_error"))
    return f"costs of Linux {kernel}, error {middle:.1f} % in the median, {most:.1f} % at most"
