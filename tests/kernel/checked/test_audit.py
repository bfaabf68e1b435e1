"""The checkers of tasks, references, sockets and memory report faulty drivers. The correct versions of these
drivers cause no report.
"""

from __future__ import annotations

from typing import Any

import pytest

from simkernel import Machine, SimulationError, millis
from simkernel.kernel.netlink.socket import NetlinkSocket
from simkernel.uapi.netlink import NETLINK_USERSOCK
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX, SOCK_DGRAM, SOCK_RAW
from tests.kernel.checked.conftest import Checked
from tests.kernel.conftest import Bench


def test_an_unknown_checker_is_refused() -> None:
    with pytest.raises(SimulationError, match="'lockdeb' is not a checker; use lockdep, hung"):
        Machine(checks=["lockdeb"])


# -- hung tasks -------------------------------------------------------------------

ABBA = """
async def act(state, text):
    first, second = (state.one, state.other) if text == "forth" else (state.{0}, state.{1})
    async with first:
        await wait_for_completion_timeout(state.this, init_completion(state.this, "never"), 10000000)
        async with second:
            pass
"""


def test_a_deadlock_is_reported_with_its_owners(checked: Checked) -> None:
    checked.driver(ABBA.format("other", "one"))
    checked.write("forth")
    checked.write("back")
    found = {report.checker: report for report in checked.reports()}
    hung = found["hung"]
    assert hung.title == "INFO: task writer:7 blocked for ever: no event is left that could wake it."
    assert "task:writer state:D pid:7 tgid:7 ppid:1 waits for mutex one" in hung.text
    assert "act at faulty.py:" in hung.text
    assert "writer:7 is blocked on mutex one, owned by task writer:6." in hung.text
    assert found["lockdep"].title == "WARNING: possible circular locking dependency detected"


def test_one_order_does_not_hang(checked: Checked) -> None:
    checked.driver(ABBA.format("one", "other"))
    checked.write("forth")
    checked.write("back")
    assert checked.reports() == []


def test_a_task_that_waits_for_a_lock_interruptibly_is_reported(checked: Checked) -> None:
    checked.driver("""
async def act(state, text):
    await mutex_lock_interruptible(state.one)
    if text == "keep":
        await wait_event_interruptible(init_waitqueue_head("never"), lambda: False)
""")
    checked.write("keep")
    checked.write("wait", at=millis(1))
    (hung,) = checked.reports()
    assert "task:writer state:S pid:7 tgid:7 ppid:1 waits for mutex one" in hung.text
    assert "owned by task writer:6." in hung.text


LOST = """
async def act(state, text):
    done = init_completion(state.this, "reset")
    {0}
    await wait_for_completion(done)
"""


def test_a_completion_that_nothing_completes_is_reported_once(checked: Checked) -> None:
    checked.driver(LOST.format("pass"))
    checked.write("")
    (report,) = checked.reports()
    assert "state:D" in report.text
    assert "waits for completion reset" in report.text
    assert checked.reports() == []


def test_a_completion_that_is_completed_is_not_reported(checked: Checked) -> None:
    checked.driver(LOST.format("complete(done)"))
    checked.write("")
    assert checked.reports() == []


def test_a_program_that_waits_for_a_message_is_not_hung(checked: Checked) -> None:
    async def program(app: Any) -> None:
        sock = await app.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
        await sock.recv(100)

    checked.machine.spawn(program)
    assert checked.reports() == []


# -- references ---------------------------------------------------------------------

PUT = """
def act(state, text):
    {0}
    module_put(state.this)
"""


def test_a_reference_that_was_never_taken_is_reported(checked: Checked) -> None:
    checked.driver(PUT.format("pass"))
    checked.write("", at=millis(1))
    report = checked.reports()[0]
    assert report.title == "refcount_t: underflow; use-after-free."
    assert "module faulty has 0 references and 1 users" in report.text
    assert any(place.startswith("faulty.py:") for place in report.places)


def test_a_reference_that_was_taken_is_not_reported(checked: Checked) -> None:
    checked.driver(PUT.format("try_module_get(state.this)"))
    checked.write("")
    assert checked.reports() == []


def test_an_open_file_with_fewer_references_than_descriptors_is_reported(checked: Checked) -> None:
    root = checked.machine.blocking()
    reader, _ = root.pipe()
    file = root.task.files.get(reader)
    file.references -= 1
    (report,) = checked.reports()
    assert report.checker == "references"
    file.references += 1


def test_a_plain_machine_survives_it_as_an_oops(bench: Bench) -> None:
    plain = Checked(bench, bench.folder, checks=())
    plain.driver(PUT.format("pass"))
    plain.write("", at=millis(1))
    assert plain.reports() == []
    assert bench.machine.kernel.oopses.count == 1


# -- sockets ----------------------------------------------------------------------


@pytest.mark.parametrize("close", [True, False])
def test_receive_memory_that_does_not_match_the_queue_is_reported(checked: Checked, close: bool) -> None:
    root = checked.machine.blocking()
    sock = root.socket(AF_NETLINK, SOCK_RAW, NETLINK_USERSOCK)
    found = root.task.files.get(sock.descriptor).object
    assert isinstance(found, NetlinkSocket)
    found.rmem += 256
    if close:
        sock.close()
    (report,) = checked.reports()
    assert report.title == "WARNING: socket accounting: rmem is not balanced"
    assert "rmem is 256, but its messages take 0 bytes" in report.text
    found.rmem = 0


def test_the_charge_of_unread_messages_is_balanced(checked: Checked) -> None:
    root = checked.machine.blocking()
    one, other = root.socketpair(AF_UNIX, SOCK_DGRAM)
    one.send(b"unread")
    assert checked.reports() == []
    one.close()
    other.close()
    assert checked.reports() == []


# -- memory -----------------------------------------------------------------------

PROBE = """
from simkernel.hardware.mouse import registers

IDS = (SimbusDeviceId(registers.VENDOR, registers.DEVICE),)

async def probe(device):
    device.kept = {0}

async def remove(device):
    {1}

async def init(this):
    return await simbus_register_driver(this, IDS, probe, remove)

async def exit(this, driver):
    (device,) = driver.devices
    await simbus_unregister_driver(driver)
    {2}
"""


def use(checked: Checked, *parts: str) -> list[str]:
    """Load and unload a driver; return the titles of the reports."""
    from simkernel.hardware import Mouse

    checked.machine.plug(Mouse())
    checked.machine.run()
    checked.bench.module("prober", PROBE.format(*parts))
    root = checked.bench.root
    root.insmod("prober")
    root.rmmod("prober")
    return [report.title for report in checked.reports()]


def test_registers_after_unbind_are_reported(checked: Checked) -> None:
    (title,) = use(checked, "devm_ioremap(device)", "pass", "readl(device.kept, 4)")
    assert title == "BUG: unable to handle page fault for address: 0x00000004"


def test_registers_in_remove_are_not_reported(checked: Checked) -> None:
    assert use(checked, "devm_ioremap(device)", "readl(device.kept, 4)", "pass") == []


def test_dma_memory_after_unbind_is_reported(checked: Checked) -> None:
    dma = "dmam_alloc_coherent(device, 64)"
    (title,) = use(checked, dma, "pass", "device.kept.memory[0]")
    assert title.startswith("BUG: KASAN: use-after-free in exit at prober.py:")


def test_dma_memory_in_remove_is_not_reported(checked: Checked) -> None:
    assert use(checked, "dmam_alloc_coherent(device, 64)", "device.kept.memory[0]", "pass") == []


def test_the_report_has_the_traces_of_allocation_and_release(checked: Checked) -> None:
    checked.machine.reports.take()
    use(
        checked,
        "dma_alloc_coherent(device, 64)",
        "dma_free_coherent(device, device.kept)",
        "device.kept.memory",
    )
    text = checked.bench.log
    assert any(line.startswith("Allocated by task ") for line in text)
    assert any(line.startswith(" remove at prober.py:") for line in text)


def test_a_double_free_is_reported(checked: Checked) -> None:
    free = "dma_free_coherent(device, device.kept)"
    (title,) = use(checked, "dma_alloc_coherent(device, 64)", f"{free}; {free}", "pass")
    assert title.startswith("BUG: KASAN: double-free in remove at prober.py:")


def test_a_plain_machine_has_plain_parts(bench: Bench) -> None:
    kernel = bench.machine.kernel
    assert type(kernel.dma).__name__ == "DmaMemory"
    assert type(kernel.locking).__name__ == "Locking"
