"""The exporters with a whole machine: a viewer sets a camera's format, streams, and reads frames."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import attrs
import pytest

from simkernel import Machine, millis
from simkernel.hardware import Camera
from simkernel.trace import Diagram, Digest, Log, Pcap, Strace, TraceJson
from tests.trace.test_diagram import LINE
from tests.trace.test_perfetto import bound, check


async def viewer(app: Any) -> None:
    await app.sleep(0.02)
    camera = await app.genetlink("camera")
    await camera.join("frames")
    await camera.do("set-format", width=640, height=480, pixel_format="GREY")
    await camera.do("stream-on")
    async for frame in camera.events("frame-ready"):
        await camera.dump("read-frame", sequence=frame["sequence"])


@attrs.define
class Written:
    """The output of the exporters."""

    trace: io.StringIO = attrs.field(factory=io.StringIO)
    strace: io.StringIO = attrs.field(factory=io.StringIO)
    diagram: io.StringIO = attrs.field(factory=io.StringIO)
    log: io.StringIO = attrs.field(factory=io.StringIO)
    pcap: io.BytesIO = attrs.field(factory=io.BytesIO)
    digest: Digest = attrs.field(factory=Digest)


def run(milliseconds: float) -> Written:
    """Run a viewer and a camera for some simulated milliseconds. Return the output of all exporters."""
    files = Written()
    with Machine(seed=7) as machine:
        exporters = [
            TraceJson(files.trace),
            Strace(files.strace, machine.specification),
            Diagram(files.diagram),
            Log(files.log),
            Pcap(files.pcap),
            files.digest,
        ]
        for exporter in exporters:
            machine.trace.subscribe(exporter)
        machine.plug(Camera())
        machine.spawn(viewer, uid=1000)
        machine.run(until=millis(milliseconds))
        for exporter in exporters:
            exporter.close()
    return files


@pytest.fixture(scope="module")
def written() -> Written:
    return run(90)


def test_arrows_lead_from_the_program_to_the_registers_and_from_the_sensor_to_the_program(
    written: Written,
) -> None:
    trace = json.loads(written.trace.getvalue())["traceEvents"]
    check(trace)
    paths: dict[int, list[tuple[str, str]]] = defaultdict(list)
    for arrow, slice_ in bound(trace):
        paths[arrow["id"]].append((slice_["cat"], slice_["name"]))
    requests = [path for path in paths.values() if ("driver", "camera set-format") in path]
    frames = [path for path in paths.values() if path[0] == ("hardware", "frame_start")]
    assert len(requests) == 1
    assert len(frames) >= 2
    assert _in_order(
        [("application", "sendto"), ("driver", "camera set-format"), ("hardware", "write MODE"),
         ("kernel", "netlink_unicast"), ("application", "recvfrom")], requests[0],
    )  # fmt: skip
    for frame in frames[:2]:
        assert _in_order(
            [("hardware", "irq_raise"), ("driver", "irq 1 camera"), ("kernel", "netlink_broadcast"),
             ("application", "recvfrom returns"), ("driver", "camera read-frame (dump)")], frame,
        )  # fmt: skip


def _in_order(wanted: list[tuple[str, str]], path: list[tuple[str, str]]) -> bool:
    steps = iter(path)
    return all(step in steps for step in wanted)


@pytest.mark.parametrize("milliseconds", [0.001, 1.5, 21, 25.5, 50])
def test_cut_at_any_time_the_trace_is_valid(milliseconds: float) -> None:
    check(json.loads(run(milliseconds).trace.getvalue())["traceEvents"])


def test_strace_knows_the_family_s_names(written: Written) -> None:
    lines = written.strace.getvalue()
    assert (
        "{cmd=CAMERA_CMD_SET_FORMAT, version=1}, [[{nla_len=8, nla_type=CAMERA_A_FORMAT_WIDTH}, 640]" in lines
    )
    assert "CAMERA_PIXEL_FORMAT_GREY" in lines
    assert '"add@/module/camera\\0ACTION=add\\0' in lines


def test_the_diagram_has_every_layer(written: Written) -> None:
    lines = written.diagram.getvalue().splitlines()
    assert all(LINE.fullmatch(line) for line in lines)
    assert sum(line.startswith("    box") for line in lines) == 4


def test_the_log_is_the_kernel_s(written: Written) -> None:
    assert "camera0" in written.log.getvalue()


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_nothing_malformed(written: Written, tmp_path: Path) -> None:
    path = tmp_path / "run.pcap"
    path.write_bytes(written.pcap.getvalue())
    read = subprocess.run(
        ["tshark", "-V", "-r", path], capture_output=True, text=True, check=True, timeout=60
    )
    assert "(camera)" in read.stdout
    assert "Malformed" not in read.stdout


def test_the_same_run_has_the_same_digest(written: Written) -> None:
    assert run(90).digest.hexdigest() == written.digest.hexdigest()
