"""Defects of pyroute2 and linuxpy, each reproduced by at most twenty lines of code that use simkernel's
public API.

A failing test means that a new version of the package has fixed the defect. Then the test can be removed.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import Any

import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera, Mouse
from simkernel.hosted import hosted
from simkernel.testing.situations import (
    dump_interrupted,
    overrun,
    syn_dropped,
    unplugged_while_reading,
    unplugged_while_streaming,
)

if sys.platform != "linux":
    pytest.skip("hosted programs need Python on Linux", allow_module_level=True)
pytest.importorskip("pyroute2", reason="pyroute2 is not installed: it runs on Linux only")
pytest.importorskip("linuxpy", reason="linuxpy is not installed")


def test_pyroute2_ignores_nlm_f_dump_intr() -> None:
    with Machine() as machine, hosted(machine, "pyroute2"):
        from pyroute2.netlink import NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, genlmsg
        from pyroute2.netlink.generic import GenericNetlinkSocket

        machine.plug(Camera())
        machine.run(until=millis(100))
        camera = machine.blocking().genetlink("camera")
        camera.join("frames")
        camera.do("stream-on")
        frame = next(camera.events("frame-ready"))["sequence"]
        request = type(
            "frame", (genlmsg,), {"nla_map": [("A", "none"), ("B", "none"), ("SEQUENCE", "uint32")]}
        )()
        request["cmd"], request["version"], request["attrs"] = 9, 1, [("SEQUENCE", frame)]
        with GenericNetlinkSocket() as sock, dump_interrupted(machine):
            sock.bind("camera", type(request))
            parts = sock.nlm_request(request, sock.prid, NLM_F_REQUEST | NLM_F_DUMP)
        assert any(part["header"]["flags"] & NLM_F_DUMP_INTR for part in parts)


def test_pyroute2_turns_enobufs_into_a_uevent() -> None:
    with Machine() as machine, hosted(machine, "pyroute2"):
        from pyroute2.netlink.uevent import UeventSocket

        sock = UeventSocket()
        sock.bind()
        with overrun(machine):
            machine.plug(Mouse())
            (event,) = sock.get()
        assert event["header"]["message"] == "\x1c"


def test_pyroute2_cannot_use_or_close_a_socket_after_enobufs() -> None:
    with Machine() as machine, hosted(machine, "pyroute2"):
        from pyroute2.netlink.uevent import UeventSocket

        sock = UeventSocket()
        sock.bind()
        with overrun(machine):
            machine.plug(Mouse())
            sock.get()
        sockets = machine.statistics["netlink"]["sockets"]
        for call in (sock.get, sock.close, sock.close):
            with pytest.raises(OSError, match="No buffer space available"):
                call()
        assert machine.statistics["netlink"]["sockets"] == sockets


def test_pyroute2_hangs_on_a_foreign_sequence_number() -> None:
    from pyroute2.netlink.rtnl.marshal import MarshalRtnl

    from simkernel.uapi.netlink import message

    parsed = MarshalRtnl().parse(message(16, bytes(16), seq=1), seq=2, skip_alien_seq=True)

    def stop_after(lines: int) -> Callable[..., Any]:
        def trace(*_: object) -> Callable[..., Any]:
            nonlocal lines
            lines -= 1
            if not lines:
                raise TimeoutError
            return trace

        return trace

    sys.settrace(stop_after(1000))
    with pytest.raises(TimeoutError):
        next(parsed)


def test_linuxpy_never_resumes_an_async_reader_of_a_mouse_that_is_unplugged() -> None:
    with Machine() as machine, hosted(machine, "linuxpy"):
        from linuxpy.input.device import async_event_batch_stream, find_mouse

        machine.plug(mouse := Mouse())
        machine.run(until=millis(100))
        errors: list[OSError] = []

        async def main() -> None:
            with find_mouse() as device:
                read = asyncio.ensure_future(anext(async_event_batch_stream(device.fileno())))
                asyncio.get_running_loop().set_exception_handler(
                    lambda _, found: errors.append(found["exception"])
                )
                while len(errors) < 100:
                    await asyncio.sleep(0.001)
                assert not read.done()

        with unplugged_while_reading(machine, mouse):
            asyncio.run(main())
        assert {error.errno for error in errors[:100]} == {19}


def test_linuxpy_never_resumes_an_async_viewer_of_a_camera_that_is_unplugged() -> None:
    with Machine() as machine, hosted(machine, "linuxpy"):
        from linuxpy.video.device import Device, VideoCapture

        machine.plug(camera := Camera())
        machine.run(until=millis(100))
        errors: list[OSError] = []

        async def main() -> None:
            with Device.from_id(0) as device, VideoCapture(device) as capture:
                asyncio.get_running_loop().set_exception_handler(
                    lambda _, found: errors.append(found["exception"])
                )
                frames = asyncio.ensure_future(anext(aiter(capture)))
                while len(errors) < 100:
                    await asyncio.sleep(0.001)
                assert not frames.done()

        with (
            unplugged_while_streaming(machine, camera, after=1),
            pytest.raises(OSError, match="No such device"),
        ):
            asyncio.run(main())


def test_linuxpy_hides_syn_dropped() -> None:
    with Machine() as machine, hosted(machine, "linuxpy"):
        from linuxpy.input.device import event_batch_stream, find_mouse

        machine.plug(mouse := Mouse())
        machine.run(until=millis(100))
        with find_mouse() as device:
            stream = event_batch_stream(device.fileno())
            mouse.move(buttons=1)
            assert [(event.code.name, event.value) for event in next(stream)] == [("BTN_MOUSE", 1)]
            with syn_dropped(machine):  # The event for the release of the button is among the lost events.
                names = {event.type.name for _ in range(5) for event in next(stream)}
        assert names == {"REL"}


@pytest.mark.parametrize(
    "name", [name for name in globals() if name.startswith(("test_pyroute2", "test_linuxpy"))]
)
def test_reproduction_has_at_most_twenty_lines(name: str) -> None:
    lines = [line for line in inspect.getsource(globals()[name]).splitlines()[1:] if line.strip()]
    assert len(lines) <= 20
