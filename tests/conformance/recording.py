"""Recordings of the observations that a real kernel made in each case.

{"format": 1, "kernel": "Linux 6.18...", "privileged": "...", "runs": 20,
 "cases": {"unicast.to_itself": {"about": "A socket can send a message to itself.", "privileged": false,
                                 "marks": [], "observations": [["send", 2], ...]}}}
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs

from tests.conformance import world as worlds
from tests.conformance.case import Case
from tests.conformance.runner import Outcome, RemoteWorld, difference, run

HOST: Final = "linux-6.18"
ORACLES: Final[Mapping[str, str]] = {
    HOST: "tests.conformance.real:real",
    "uml-6.12": "tests.conformance.uml.world:uml",
}
"""For each name of a recording: the factory (`module:callable`) of the world in which the recording is made.
A world is a kernel with the functions that cases use.
"""


def path_of(oracle: str) -> Path:
    """Return the path of a recording."""
    return Path(__file__).parent / "recorded" / f"{oracle}.json"


RECORDING = path_of(HOST)

NOT_RECORDED = Outcome(error="the case is not in the recording")


@attrs.frozen
class Recording:
    """Observations of conformance cases on one kernel. `cases` maps the name of a case to the list of its
    observations.
    """

    kernel: str
    cases: dict[str, list[list[Any]]]

    def outcome(self, case: Case) -> Outcome:
        """Return the recorded outcome of a case."""
        observations = self.cases.get(case.name)
        return NOT_RECORDED if observations is None else Outcome(observations)

    @property
    def series(self) -> str:
        """Version and patch level of the kernel, such as "6.18"."""
        return ".".join(self.kernel.split()[1].split(".")[:2])


def load(path: Path = RECORDING) -> Recording:
    """Read a recording from a JSON file."""
    content = json.loads(path.read_text())
    return Recording(
        content["kernel"], {name: case["observations"] for name, case in content["cases"].items()}
    )


def host_kernel() -> str:
    """Return system name, release and machine of the host's kernel."""
    return f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}"


@cache
def loaded(oracle: str) -> Recording:
    """Return the recording with this name. Only the first call for a name reads the file."""
    return load(path_of(oracle))


def recorded(case: Case) -> Outcome:
    """Return the recorded outcome of a case."""
    return loaded(case.oracle).outcome(case)


def record(
    cases: Sequence[Case], path: Path, oracle: str, *, limit: float, repeat: int, only: bool = False
) -> int:
    """Make the recording with the name `oracle` and write it to the file `path`. Each case of the recording
    runs `repeat` times on the recorded kernel. A case is recorded only if no run fails and all its runs have
    equal results.

    With `only`, the other cases of an existing recording stay. Print each case with different results, and
    return the number of these cases.
    """
    real = worlds.load(ORACLES[oracle])
    stable: dict[str, Any] = json.loads(path.read_text())["cases"] if only else {}
    unstable = 0
    for case in (each for each in cases if each.oracle == oracle):
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
        "kernel": real.kernel if isinstance(real, RemoteWorld) else host_kernel(),
        "privileged": "true: root with every capability; false: uid and gid 65534 without any",
        "runs": repeat,
        "cases": stable,
    }
    path.write_text(json.dumps(about, indent=1) + "\n")
    print(f"{len(stable)} recorded, {unstable} failed")
    return unstable
