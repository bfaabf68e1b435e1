"""Hypothesis strategies for requests to a generic netlink family, events of devices, sequences of system
calls, and perturbations of a run (plans).

    @given(histories("mouse0", "camera0"), syscall_programs(paths=["/dev/video0"]))
    def test_the_driver_lives(history, program): ...

These strategies need hypothesis, which is in an extra: `pip install simkernel[testing]`.
"""

from simkernel.testing.histories import Control, Event, History, Plug, Stimulus, Unplug, Wait
from simkernel.testing.strategies.calls import descriptor, syscall, syscall_programs
from simkernel.testing.strategies.devices import histories
from simkernel.testing.strategies.families import (
    GenetlinkRequest,
    attributes,
    datagrams,
    garbage,
    nearly_valid_requests,
    requests,
    valid_requests,
)
from simkernel.testing.strategies.plans import plans
from simkernel.testing.syscalls import Fd, Syscall, SyscallProgram

__all__ = [
    "Control", "Event", "Fd", "GenetlinkRequest", "History", "Plug", "Stimulus", "Syscall", "SyscallProgram",
    "Unplug", "Wait", "attributes", "datagrams", "descriptor", "garbage", "histories",
    "nearly_valid_requests", "plans", "requests", "syscall", "syscall_programs", "valid_requests",
]  # fmt: skip
