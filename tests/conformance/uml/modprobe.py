"""The program in /proc/sys/kernel/modprobe, which the guest's kernel runs as `modprobe -q -- NAME`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conformance.uml.modules import Tree

if __name__ == "__main__":
    try:
        sys.exit(0 if Tree(Path(sys.argv[1])).modprobe(sys.argv[-1]) else 1)
    except OSError:
        sys.exit(1)
