"""The recording: what a real kernel showed in each case, and how it is made.

{"format": 1, "kernel": "Linux 6.18...", "privileged": "...", "runs": 20,
 "cases": {"unicast.to_itself": {"about": "A socket may write to itself.", "privileged": false,
                                 "marks": [], "observations": [["send", 2], ...]}}}
"""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.conformance.case import Case
from tests.conformance.real import real
from tests.conformance.runner import Outcome, difference, run

RECORDING = Path(__file__).parent / "recorded" / "linux-6.18.json"

NOT_RECORDED = Outcome(error="the case is not in the recording")


@attrs.frozen
class Recording:
    """What a kernel showed, case by case."""

    kernel: str
    cases: dict[str, list[list[Any]]]

    def outcome(self, case: Case) -> Outcome:
        """What the kernel showed in a case."""
        observations = self.cases.get(case.name)
        return NOT_RECORDED if observations is None else Outcome(observations)

    @property
    def series(self) -> str:
        """The kernel's series, such as "6.18"."""
        return ".".join(self.kernel.split()[1].split(".")[:2])


def load(path: Path = RECORDING) -> Recording:
    """Read a recording."""
    content = json.loads(path.read_text())
    return Recording(
        content["kernel"], {name: case["observations"] for name, case in content["cases"].items()}
    )


def record(cases: Sequence[Case], path: Path, *, limit: float, repeat: int, only: bool = False) -> int:
    """Run each case `repeat` times on the real kernel and write down those that never differ.

    With `only` the other cases of an existing recording stay.

    Returns how many did, each of which is told on the terminal.
    """
    stable: dict[str, Any] = json.loads(path.read_text())["cases"] if only else {}
    unstable = 0
    for case in cases:
        first = run(case, real, limit)
        problem = first.error or first.skipped
        for _ in range(repeat - 1):
            problem = problem or difference(first, run(case, real, limit))
        if problem:
            unstable += 1
            print(f"UNSTABLE {case.name}: {problem}")
            continue
        stable[case.name] = {
            "about": case.about,
            "privileged": case.privileged,
            "marks": list(case.marks),
            "observations": first.observations,
        }
    about = {
        "format": 1,
        "kernel": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "privileged": "true: root with every capability; false: uid and gid 65534 without any",
        "runs": repeat,
        "cases": stable,
    }
    path.write_text(json.dumps(about, indent=1) + "\n")
    print(f"{len(stable)} recorded, {unstable} failed")
    return unstable
