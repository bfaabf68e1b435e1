"""Run plans (perturbations of a run), each with the planted bug that it makes visible. Print a digest of each
run's trace.

    python -m tests.explore.replayed FILE

The file has a JSON list of [name of the bug, plan].
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from simkernel.explore.plan import Plan
from simkernel.explore.run import run
from tests.planted.bug import bugs


def digests(plans: list[tuple[str, str]]) -> list[str]:
    """Run the plan of each pair (bug, plan), and return the digest of each run's trace."""
    known = bugs()
    return [
        run(known[name].target(sound=False), Plan.parse(text), traced=True).digest for name, text in plans
    ]


if __name__ == "__main__":
    print(json.dumps(digests(json.loads(Path(sys.argv[1]).read_text("utf-8")))))
