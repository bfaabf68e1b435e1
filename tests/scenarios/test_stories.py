"""The metrics of each shipped scenario have the values that its report states."""

from __future__ import annotations

import re
from typing import Any

import pytest

from simkernel.cli import stories
from simkernel.scenario import Run
from simkernel.uapi import errno


def run(name: str, seed: int = 0, **parameters: Any) -> Run:
    return stories.load(stories.find(name)).run(seed=seed, parameters=parameters)


def conserved(figures: dict[str, Any]) -> bool:
    ended = figures["frames_delivered"] + figures["frames_dropped"] + figures["frames_in_flight"]
    return bool(figures["frames_produced"] == ended)


# -- camera ---------------------------------------------------------------------


def test_camera_delivers_every_frame_to_a_viewer_that_keeps_up() -> None:
    figures = run("camera").metrics
    assert conserved(figures)
    assert 149 <= figures["frames_produced"] <= 151
    assert figures["frames_dropped"] == figures["checksum_errors"] == 0
    assert figures["frames_delivered"] == figures["frames_read"] >= 149
    assert figures["bytes_delivered"] == figures["frames_delivered"] * 640 * 480 * 2
    latency = figures["latency_ns"]
    assert 12_004_000 < latency["p50"] <= latency["p99"] <= latency["max"] < 13_000_000


def test_camera_shows_every_station_of_a_frame() -> None:
    report = run("camera", duration=0.2)
    tables = {part.title: part for part in report.parts if hasattr(part, "title")}
    stations = next(table for title, table in tables.items() if title.startswith("Frame "))
    assert [row[0] for row in stations.rows] == ["hardware"] * 3 + ["driver"] * 2 + ["application"] * 2
    times = [row[2] for row in stations.rows]
    assert times == sorted(times)
    announced = [row[2] for row in tables["Uevents"].rows if row[1] == "add"]
    assert announced.index("/devices/simbus0/0:1") < announced.index("/devices/simbus0/0:1/camera/camera0")


def suggested(report: Run) -> dict[str, str]:
    """Return the parameters that a report suggests."""
    found = re.findall(r"--set (\w+)=(\S+)", "\n".join(getattr(part, "text", "") for part in report.summary))
    assert len(found) == 1
    return dict(found)


def lost(report: Run) -> int:
    """Return the number of lost frames that a report states."""
    (said,) = [part.text for part in report.summary if " frames read, " in getattr(part, "text", "")]
    frames_read, frames_lost = map(int, re.findall(r"(\d+) (?:frames read|lost)", said))
    assert frames_read == report.metrics["frames_read"]
    assert frames_lost == report.metrics["frames_dropped"]
    return frames_lost


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        *(
            pytest.param(each, marks=pytest.mark.long)
            for each in ({"rate": 10}, {"pixels": "mmap"}, {"buffers": 16})
        ),
    ],
)
def test_camera_suggests_a_run_that_loses_frames_and_then_one_that_loses_none(
    parameters: dict[str, Any],
) -> None:
    first = run("camera", **parameters)
    assert lost(first) == 0
    slow = parameters | suggested(first)
    second = run("camera", **slow)
    assert lost(second) > 0
    assert suggested(second) == {"work": "0"}
    assert lost(run("camera", **(slow | suggested(second)))) == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"pixels": "mmap"},
        *(pytest.param(each, marks=pytest.mark.long) for each in ({"buffers": 16}, {"cpus": 1})),
    ],
)
def test_camera_shows_the_path_to_a_register_and_back(parameters: dict[str, Any]) -> None:
    (path,) = [part for part in run("camera", **parameters).summary if hasattr(part, "rows")]
    layers = [row[0].strip() for row in path.rows]
    up = layers.index("hardware", layers.index("hardware") + 1)
    assert layers[0] == layers[up - 1] == layers[-1] == "application"
    assert set(layers[up:]) == {"application", "kernel", "driver", "hardware"}
    assert "register CONTROL" in path.rows[layers.index("hardware")][1]
    for rows in (path.rows[:up], path.rows[up:]):
        times = [float(row[2]) for row in rows]
        assert times == sorted(times)
        assert times[0] == 0


@pytest.mark.parametrize(
    "parameters",
    [
        {"work": 50},
        {"work": 300, "buffers": 3},
        {"size": "1920x1080", "pixel_format": "RGB24", "rate": 60},
        {"size": "160x120", "pixel_format": "GREY", "rate": 120, "jitter": 5, "work": 12},
        {"cpus": 1, "work": 30},
        {"buffers": 16, "work": 100},
        {"pixels": "mmap"},
        {"pixels": "mmap", "work": 50},
        {"pixels": "mmap", "work": 300, "buffers": 3, "cpus": 1},
        {"pixels": "mmap", "size": "160x120", "rate": 120, "jitter": 5, "buffers": 16},
    ],
)
def test_camera_forgets_no_frame(parameters: dict[str, Any]) -> None:
    figures = run("camera", duration=1, seed=5, **parameters).metrics
    assert conserved(figures)
    assert figures["frames_read"] == figures["frames_delivered"] > 0
    assert figures["checksum_errors"] == 0


def test_camera_shows_the_copies_that_mapping_saves() -> None:
    """Over netlink a pixel is copied twice: into a message and out of it. A mapped pixel is never copied."""
    costs = []
    for size in ("160x120", "1920x1080"):
        report = run("camera", duration=0.5, pixels="mmap", size=size)
        assert any(getattr(part, "title", "") == "What a frame costs the viewer" for part in report.parts)
        costs.append(report.metrics["frame_costs"])
    small, large = costs
    assert small["mmap"]["time"] == large["mmap"]["time"]
    for cost, pixels in ((small, 160 * 120), (large, 1920 * 1080)):
        size = 2 * pixels  # YUYV
        assert 2 * size < cost["netlink"]["copied"] < 2.2 * size + 1000
        assert cost["mmap"]["copied"] < 1000
        assert all(cost["netlink"][what] > cost["mmap"][what] for what in cost["mmap"])
    assert large["netlink"]["time"] > 100 * large["mmap"]["time"]


def test_camera_without_time_for_a_frame() -> None:
    figures = run("camera", duration=0.001).metrics
    assert conserved(figures)
    assert figures["frames_delivered"] == 0
    assert figures["latency_ns"] == {"p50": None, "p99": None, "max": None}


# -- mouse ------------------------------------------------------------------------


def test_mouse_the_slow_listener_overruns_and_is_right_again() -> None:
    figures = run("mouse").metrics
    quick, slow = figures["listeners"]["quick"], figures["listeners"]["slow"]
    assert quick["overruns"] == 0
    assert slow["overruns"] > 3
    assert slow["asked"] == slow["overruns"] + 1
    assert slow["heard"] < quick["heard"]
    assert all(each["right"] for each in figures["listeners"].values())
    assert figures["reports_made"] == figures["reports_announced"] + figures["reports_lost"]


def test_mouse_a_listener_that_does_not_empty_its_queue_stays_wrong() -> None:
    slow = run("mouse", drain=False).metrics["listeners"]["slow"]
    assert slow["missed"] > 0
    assert not slow["right"]


# -- links ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_links_a_daemon_that_lists_again_after_an_overrun_is_right(seed: int) -> None:
    figures = run("links", seed).metrics
    quick, slow = figures["quick"], figures["slow"]
    assert quick["right"]
    assert slow["right"]
    assert (quick["overruns"], quick["listed"]) == (0, 1)
    assert slow["overruns"] > 3
    assert slow["listed"] == slow["overruns"] + 1
    assert slow["heard"] < quick["heard"] / 2


def test_links_a_daemon_that_ignores_an_overrun_stays_wrong() -> None:
    slow = run("links", resync=False).metrics["slow"]
    assert slow["overruns"] > 0
    assert not slow["right"]


def test_links_no_flag_reports_a_rename_in_a_list() -> None:
    lists = run("links", changes=1).metrics["lists"]
    names = {what: names.replace(" /", "").split() for what, (names, _) in lists.items()}
    assert [flag for _, flag in lists.values()] == [False, True, False]
    assert len(names["none"]) == len(set(names["none"])) == 7
    assert names["eth0 becomes old, eth5 eth0"].count("eth0") == 2
    assert "eth1" in names["eth1 is deleted"]


# -- hotplug ------------------------------------------------------------------------


@pytest.mark.parametrize("out", [0.0161, 0.5])
def test_hotplug_enodev_and_back_again(out: float) -> None:
    figures = run("hotplug", out=out).metrics
    assert figures["refused_with"] == [errno.ENODEV]
    assert len(figures["frames_per_stream"]) == 2
    assert figures["frames_per_stream"][1] > 10
    assert figures["dma_bytes_while_away"] == figures["leaks"] == figures["oopses"] == 0


# -- modules ------------------------------------------------------------------------


def test_modules_every_error_is_the_right_one() -> None:
    figures = run("modules").metrics
    errors = {what.split(",")[0]: errno.error_name(number) for what, number in figures["errors"].items()}
    assert errors == {
        "insmod camera": "ENOENT",
        "modprobe mouse rate=7": "EINVAL",
        "insmod hello": "EEXIST",
        "rmmod devclass": "EBUSY",
        "rmmod hello": "ENOENT",
        "an ordinary user: rmmod hello": "EPERM",
        "an ordinary user: modprobe forgetful": "EPERM",
        "rmmod camera": "EBUSY",
        "modprobe orphan": "ENOENT",
        "modprobe hen": "ENOENT",
        "modprobe halfway": "EIO",
        "an ordinary user: divide by 0": "EFAULT",
        "rmmod crashes": "EBUSY",
    }
    assert figures["drivers"] == ["camera", "mouse"]
    assert figures["not_drivers"] == ["devclass", "hello", "input", "video"]
    assert (figures["oopses"], figures["leaks"], figures["quotients"]) == (1, 1, [120])
    assert "D" in figures["taints"]


def test_modules_undoes_a_failed_init_in_reverse_order() -> None:
    log = next(
        part.text for part in run("modules").parts if getattr(part, "text", "").startswith("The kernel log")
    )
    steps = [line.partition("halfway: ")[2] for line in log.splitlines() if "halfway: step" in line]
    assert [step.split(":")[0] for step in steps] == [
        "step 1 done",
        "step 2 done",
        "step 3 fails",
        "step 2 undone",
        "step 1 undone",
    ]


# -- layers, talk, hello --------------------------------------------------------------


def test_layers_each_question_goes_deeper_and_there_is_no_way_round() -> None:
    figures = run("layers").metrics
    assert figures["register_reads_by_depth"] == [0, 0, 0, 1]
    assert figures["ns_by_depth"][0] < min(figures["ns_by_depth"][1:3]) < figures["ns_by_depth"][3]
    assert figures["interrupts_by_step"] == [1, 0, 1]
    assert figures["refused"] == figures["attempts"] > 8


@pytest.mark.parametrize("gain", [4, 160])
def test_layers_the_gain_shows_in_the_picture(gain: int) -> None:
    before, after = run("layers", gain=gain).metrics["brightness"]
    assert (after > before) == (gain > 16)


def test_talk_unicast_waits_and_multicast_reaches_all() -> None:
    figures = run("talk", messages=4, listeners=5, size=1000).metrics
    assert figures["messages_echoed"] == figures["messages_sent"] == 4
    assert figures["messages_altered"] == 0
    assert figures["multicast_heard"] == 4 * 5
    assert figures["waited_for_reader_ns"] > 200_000_000
    answers = sorted(answer.split("]")[0] for answer in figures["errors"].values())
    assert answers == sorted(
        f"[Errno {number}" for number in (errno.EPERM, errno.EAGAIN, errno.ECONNREFUSED, errno.ECONNREFUSED)
    )


def test_hello_greets_every_group_member() -> None:
    figures = run("hello", guests=4, greeting="Salve").metrics
    assert figures["greetings"] == ["Salve, Ada!", "Salve, Grace!", "Salve, Linus!", "Salve, Margaret!"]
    assert figures["heard_by_gossip"] == 4
    assert figures["refused"] == {
        "no name": "EINVAL",
        "a very long name": "EINVAL",
        "nonsense": "EOPNOTSUPP",
    }


def test_hello_the_first_socket_loads_the_module() -> None:
    assert run("hello").metrics["module_requests"] == 1
