from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given

from simkernel.engine import Record
from simkernel.kernel.lib.layers import KERNEL
from simkernel.trace import Strace
from simkernel.uapi.utsname import Utsname
from tests.trace.records import ANY_RECORDS, COMMAND, STORY, enter, feed, leave, record


def printed(records: list[Record], **options: Any) -> list[str]:
    file = io.StringIO()
    feed(Strace(file, **options), records)
    return file.getvalue().splitlines()


def call(name: str, *arguments: Any, **result: Any) -> list[Record]:
    return [enter(1, 7, name, *arguments), leave(2, 7, name, **result)]


TEXT = (b"text", 4, [(270, 3, b"\0\0\0\0")], 0, (9574, 0))

LINES = [
    (call("getuid", result=0), "getuid()                          = 0"),
    (
        call("socket", 16, 0o2000003, 16, result=3),
        "socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, NETLINK_GENERIC) = 3",
    ),
    (
        call("socket", 16, 3, 40, error=93),
        "socket(AF_NETLINK, SOCK_RAW, 0x28 /* NETLINK_??? */) = -1 EPROTONOSUPPORT (Protocol not supported)",
    ),
    (
        call("bind", 4, (0, 3), result=None),
        "bind(4, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000003}, 12) = 0",
    ),
    (
        call("getsockname", 7, result=(2815590839, 0)),
        "getsockname(7, {sa_family=AF_NETLINK, nl_pid=-1479376457, nl_groups=00000000}, [12]) = 0",
    ),
    (call("sendto", 5, b"hi", 0, None, error=111),
     r'sendto(5, "\x68\x69", 2, 0, NULL, 0) = -1 ECONNREFUSED (Connection refused)'),
    (
        call("recvfrom", 4, 100, 0x40, error=11),
        "recvfrom(4, NULL, 100, MSG_DONTWAIT, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)",
    ),
    (
        call("recvmsg", 4, 300, 100, 0x40, result=TEXT),
        r'recvmsg(4, {msg_name={sa_family=AF_NETLINK, nl_pid=9574, nl_groups=00000000}, msg_namelen=12, '
        r'msg_iov=[{iov_base="\x74\x65\x78\x74", iov_len=300}], msg_iovlen=1, msg_control=[{cmsg_len=20, '
        r'cmsg_level=SOL_NETLINK, cmsg_type=0x3, cmsg_data="\x00\x00\x00\x00"}], msg_controllen=24, '
        r"msg_flags=0}, MSG_DONTWAIT) = 4",
    ),
    (
        call("setsockopt", 3, 270, 11, b"\1\0\0\0", result=None),
        "setsockopt(3, SOL_NETLINK, NETLINK_EXT_ACK, [1], 4) = 0",
    ),
    (
        call("getsockopt", 3, 270, 9, 64, result=b"\0\x40\0\0\0\0\0\0"),
        "getsockopt(3, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, [16384, 0], [64 => 8]) = 0",
    ),
    (
        call("getsockopt", 5, 270, 99, 4, error=92),
        "getsockopt(5, SOL_NETLINK, 0x63 /* NETLINK_??? */, NULL, [4]) = "
        "-1 ENOPROTOOPT (Protocol not available)",
    ),
    (
        call("poll", [(4, 1), (5, 5)], 1_000_000, result=[(4, 1), (5, 4)]),
        "poll([{fd=4, events=POLLIN}, {fd=5, events=POLLIN|POLLOUT}], 2, 1) = 2 "
        "([{fd=4, revents=POLLIN}, {fd=5, revents=POLLOUT}])",
    ),
    (call("poll", [(3, 1)], 10_000_000, result=[]), "poll([{fd=3, events=POLLIN}], 1, 10) = 0 (Timeout)"),
    (call("ioctl", 3, 0x5421, True, result=0), "ioctl(3, FIONBIO, [1])            = 0"),
    (call("kill", 99999, 15, error=3), "kill(99999, SIGTERM)              = -1 ESRCH (No such process)"),
    (call("wait4", -1, 1, error=10), "wait4(-1, NULL, WNOHANG, NULL)    = -1 ECHILD (No child processes)"),
    (
        call("wait4", -1, 0, result=(6285, 3 << 8)),
        "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 6285",
    ),
    (
        call("nanosleep", 10_000_000, result=None),
        "clock_nanosleep(CLOCK_MONOTONIC, 0, {tv_sec=0, tv_nsec=10000000}, NULL) = 0",
    ),
    (call("delete_module", "camera", 0o4000, error=11),
     'delete_module("camera", O_NONBLOCK) = -1 EAGAIN (Resource temporarily unavailable)'),
    (
        call("uname", result=Utsname("Linux", "vm", "6.18.44", "#1 SMP", "x86_64")),
        'uname({sysname="Linux", nodename="vm", ...}) = 0',
    ),
    (call("finit_module", "hello", "who=you", 0, result=None), 'finit_module("hello", "who=you", 0) = 0'),
    (call("spectre", object(), None, 2, result=None), "spectre(object, NULL, 2)          = 0"),
]  # fmt: skip
"""Output of strace 6.13 on Linux, with NULL in place of pointers."""


@pytest.mark.parametrize(("records", "line"), LINES)
def test_a_call_is_a_line_of_strace(records: list[Record], line: str) -> None:
    assert printed(records) == [f"7     {line}"]


def test_a_call_that_sleeps_is_cut_and_resumed() -> None:
    lines = printed(
        [
            enter(1, 7, "recvfrom", 3, 8192, 0),
            enter(2, 8, "getpid"),
            leave(3, 8, "getpid", result=8),
            leave(4, 7, "recvfrom", result=(b"hi", 2, [], 0, (0, 0))),
        ]
    )
    assert lines == [
        "7     recvfrom(3,  <unfinished ...>",
        "8     getpid()                          = 8",
        r'7     <... recvfrom resumed>"\x68\x69", 8192, 0, '
        "{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, [12]) = 2",
    ]


def test_exits_and_signals() -> None:
    lines = printed(
        [
            enter(1, 7, "recvfrom", 3, 8192, 0),
            enter(2, 8, "exit", 3),
            record(3, "sched_process_exit", KERNEL, "sched", 0, pid=8, comm="child", status=3 << 8),
            record(4, "signal_deliver", KERNEL, "sched", 0, pid=7, comm="viewer", signal=9),
            record(5, "sched_process_exit", KERNEL, "sched", 0, pid=7, comm="viewer", status=9),
            record(6, "sched_process_exit", KERNEL, "sched", 0, pid=2, comm="kworker", status=0),
        ]
    )
    assert lines == [
        "7     recvfrom(3,  <unfinished ...>",
        "8     exit_group(3)                     = ?",
        "8     +++ exited with 3 +++",
        "7     --- SIGKILL {si_signo=SIGKILL} ---",
        "7     <... recvfrom resumed>)           = ?",
        "7     +++ killed by SIGKILL +++",
    ]


def test_a_datagram_is_decoded_by_the_protocol_of_its_socket_also_in_a_child() -> None:
    uevent = (b"add@/devices/x\0ACTION=add\0", 26, [], 0, (0, 1))
    lines = printed(
        [
            *call("socket", 16, 3, 15, result=3),
            *call("dup2", 3, 9, result=9),
            record(3, "sched_process_fork", KERNEL, "sched", 0, pid=7, child=8, comm="child"),
            enter(4, 8, "recvfrom", 9, 100, 0),
            leave(5, 8, "recvfrom", result=uevent),
            *call("close", 3, result=None),
            *call("socket", 16, 3, 16, result=3),
            *call("sendto", 3, COMMAND, 0, None, result=28),
            *call("dup", 3, result=4),
            *call("sendto", 4, COMMAND, 0, None, result=28),
        ]
    )
    assert "sendto(4, [{nlmsg_len=28, nlmsg_type=0x1c /* GENERIC_FAMILY_??? */" in lines[7]
    assert r'recvfrom(9, "add@/devices/x\0ACTION=add\0", 100' in lines[2]
    assert "sendto(3, [{nlmsg_len=28, nlmsg_type=0x1c /* GENERIC_FAMILY_??? */" in lines[5]


def test_uevents_are_known_through_a_socket_that_was_open_before() -> None:
    uevent = (b"change@/devices/x\0ACTION=change\0", 32, [], 0, (0, 1))
    (line,) = printed(call("recvfrom", 3, 100, 0, result=uevent))
    assert r'recvfrom(3, "change@/devices/x\0ACTION=change\0", 100' in line


def test_time_since_the_line_before() -> None:
    records = [
        enter(5_000, 7, "getpid"),
        leave(5_100, 7, "getpid", result=7),
        enter(1_500_007_000, 7, "getpid"),
    ]
    assert printed(records, relative=True) == [
        "7          0.000005 getpid()            = 7",
        "7          1.500002 getpid( <unfinished ...>",
    ]


def test_user_mode_is_no_call() -> None:
    assert printed([enter(1, 7, "compute", 500), leave(2, 7, "compute", result=None)]) == []


@given(ANY_RECORDS)
def test_lines_are_whole_for_any_records(records: list[Record]) -> None:
    file = io.StringIO()
    feed(Strace(file), records)
    text = file.getvalue()
    assert text == "" or text.endswith("\n")
    for line in text.splitlines():
        assert line[:6].strip().isdigit()
        assert line.endswith((" <unfinished ...>", "+++", "---")) or " = " in line


def test_the_story() -> None:
    assert [line.split("(")[0] for line in printed(STORY)] == ["7     sendto", "7     recvfrom"]
