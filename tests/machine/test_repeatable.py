"""One seed gives one run, byte for byte: in another process, with another hash seed, from another folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def tell(folder: Path, hash_seed: str) -> str:
    """Run `python -m tests.machine.lives` in `folder`, with the given hash seed. Return its output, the
    results of several machines.
    """
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": hash_seed,
        "PYTHONPATH": str(root),
        "TZ": f"UTC{hash_seed}",
    }
    command = [sys.executable, "-m", "tests.machine.lives"]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def test_the_same_in_another_process(tmp_path: Path) -> None:
    assert tell(tmp_path, hash_seed="12345") == tell(Path(__file__).parents[2], hash_seed="0")
