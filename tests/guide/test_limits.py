"""The numbers and statements of the guide's chapter on limits hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from simkernel import Machine, SimulationError, guide, millis
from simkernel.hardware import Mouse
from simkernel.hardware.bus.memory import MEMORY_SIZE
from simkernel.hardware.mouse.registers import FIFO_DEPTH
from simkernel.kernel.lib.log import LOG_BUF_SHIFT, RECORDS
from simkernel.kernel.mm.address_space import MAX_MAP_COUNT
from simkernel.kernel.net.sock import DEFAULT_BUFFER, MAXIMUM_BUFFER
from simkernel.kernel.sched.rlimit import DEFAULTS, MAX_THREADS
from simkernel.kernel.unix.context import MAX_DGRAM_QLEN
from simkernel.kernel.vfs import pipe, tmpfs
from simkernel.uapi.input import InputEvent
from simkernel.uapi.mman import PAGE_SIZE
from simkernel.uapi.resource import RLIM_NLIMITS, RLIMIT_NOFILE, RLIMIT_NPROC

EVENTS = 128
"""Capacity, in events, of the ring buffer that the kernel keeps for each open event device of a mouse."""

NUMBERS = {
    "RLIMIT_NOFILE |": "{}, {}".format(*DEFAULTS[RLIMIT_NOFILE]),
    "RLIMIT_NPROC |": "{}, {}".format(*DEFAULTS[RLIMIT_NPROC]),
    "receive queue of a netlink socket": f"{DEFAULT_BUFFER} bytes",
    "send buffer of a unix socket": f"up to {MAXIMUM_BUFFER} ",
    "datagrams at an unconnected unix socket": f"{MAX_DGRAM_QLEN + 1}",
    "pipe |": f"{pipe.DEFAULT_SLOTS * PAGE_SIZE} bytes | the writer blocks | "
    f"F_SETPIPE_SZ, up to {pipe.PIPE_MAX_SIZE} ",
    "event device, for each open file": f"{EVENTS} events",
    "queue of the mouse": f"{FIFO_DEPTH} reports",
    "kernel log": f"{RECORDS} records, {1 << LOG_BUF_SHIFT} bytes",
    "files of a tmpfs": f"{tmpfs.SIZE} bytes",
    "mapped areas of a process": f"{MAX_MAP_COUNT}",
    "DMA memory": f"{MEMORY_SIZE >> 30} GiB",
    "tasks of the machine": f"{MAX_THREADS}",
}


@pytest.mark.parametrize("row", NUMBERS)
def test_table_has_the_limit_of_the_code(row: str) -> None:
    (line,) = (line for line in guide.text("limits").splitlines() if line.startswith(f"| {row}"))
    assert NUMBERS[row] in line


def test_event_ring_of_a_mouse_loses_its_contents_when_it_is_full() -> None:
    with Machine() as machine:
        machine.plug(mouse := Mouse())
        machine.run(until=millis(10))
        process = machine.blocking()
        fd = process.open("/dev/input/event0", os.O_RDONLY)
        for _ in range(EVENTS // 2 - 1):  # a motion is two events: REL_X, SYN_REPORT
            mouse.move(1, 0)
            machine.run(until=machine.now + millis(10))
        assert len(process.read(fd, 1 << 16)) == (EVENTS - 2) * InputEvent.SIZE
        for _ in range(EVENTS // 2):
            mouse.move(1, 0)
            machine.run(until=machine.now + millis(10))
        assert len(process.read(fd, 1 << 16)) < (EVENTS - 2) * InputEvent.SIZE


def test_only_two_resource_limits_are_modelled() -> None:
    modelled = []
    with Machine() as machine:
        process = machine.blocking()
        for resource in range(RLIM_NLIMITS):
            try:
                process.getrlimit(resource)
            except OSError:
                continue
            modelled.append(resource)
    assert sorted(modelled) == sorted((RLIMIT_NOFILE, RLIMIT_NPROC))


def test_every_acting_method_is_refused_in_another_thread() -> None:
    refused = []
    with Machine() as machine:
        process = machine.blocking()
        actions = (
            machine.run,
            machine.blocking,
            machine.close,
            process.getpid,
            lambda: machine.spawn(lambda app: None),
            lambda: machine.plug(Mouse()),
            lambda: machine.unplug(Mouse()),
            lambda: machine.at(1, lambda: None),
        )

        def act() -> None:
            for action in actions:
                try:
                    action()
                except SimulationError as error:
                    refused.append(str(error))

        thread = threading.Thread(target=act)
        thread.start()
        thread.join()
    assert len(refused) == len(actions)
    assert len(set(refused)) == 1


SCRIPT = """
import signal
from simkernel import Machine, seconds

# a shell starts background jobs with SIGINT ignored, and the tests may run in one
signal.signal(signal.SIGINT, signal.default_int_handler)

async def endless(app):
    print("started", flush=True)
    while True:
        await app.sleep(1)

try:
    with Machine() as machine:
        machine.spawn(endless)
        machine.run()
finally:
    print("finally", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
@pytest.mark.parametrize(
    ("number", "code", "rest"),
    [(signal.SIGTERM, -signal.SIGTERM, ""), (signal.SIGINT, -signal.SIGINT, "finally\n")],
)
def test_script_with_a_machine_has_the_signal_handlers_of_python(
    tmp_path: Path, number: signal.Signals, code: int, rest: str
) -> None:
    path = tmp_path / "endless.py"
    path.write_text(SCRIPT, "utf-8")
    process = subprocess.Popen(
        [sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(number)
    printed, errors = process.communicate(timeout=60)
    assert (process.returncode, printed) == (code, rest)
    assert ("KeyboardInterrupt" in errors) is (number == signal.SIGINT)
