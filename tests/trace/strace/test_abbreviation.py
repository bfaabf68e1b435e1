"""Lines in strace's format are shortened for display."""

from __future__ import annotations

import pytest

from simkernel.trace.strace.abbreviation import abbreviated


@pytest.mark.parametrize(
    ("line", "shorter"),
    [
        ("getpid() = 7", "getpid() = 7"),
        (
            "sendto(3, [{nlmsg_len=28, nlmsg_type=camera, nlmsg_flags=0, nlmsg_seq=5, nlmsg_pid=0}, "
            "{cmd=CAMERA_CMD_READ, version=1}, [{nla_len=8, nla_type=CAMERA_A_FRAME_SEQUENCE}, 0]], 28, 0, "
            "{sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 28",
            "sendto(3, [{nlmsg_len=28, nlmsg_type=camera, ...}, {cmd=CAMERA_CMD_READ, version=1}, "
            "[CAMERA_A_FRAME_SEQUENCE, 0]], 28, 0, {sa_family=AF_NETLINK, ...}, 12) = 28",
        ),
        (
            "[{error=-ERANGE, msg=[{nlmsg_len=36, nlmsg_type=ipc_demo, nlmsg_flags=0, nlmsg_seq=1}, "
            "{cmd=1}, [[{nla_len=8, nla_type=COUNT}, 3]]]}, [{nla_len=8, nla_type=NLMSGERR_ATTR_OFFS}, 28]]",
            "[{error=-ERANGE, msg=[...]}, [NLMSGERR_ATTR_OFFS, 28]]",
        ),
        (
            "{nlmsg_len=4, nlmsg_type=0x10 /* NLMSG_??? */, nlmsg_flags=0, nlmsg_seq=0, nlmsg_pid=0}",
            "{nlmsg_len=4, nlmsg_type=0x10 /* NLMSG_??? */, ...}",
        ),
        (
            "bind(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000001}, 12) = 0",
            "bind(3, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=0x000001}, 12) = 0",
        ),
        (r'"\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a"', r'"\x01\x02\x03\x04\x05\x06\x07\x08"...'),
        (r'read(3, "a\1\2\3\4\5\6\7\10\11\"x"..., 48) = 48', r'read(3, "a\1\2\3\4\5\6\7"..., 48) = 48'),
        (r'"add@/devices/simbus0/0:1\0ACTION="...', r'"add@/devices/simbus0/0:1\0ACTION="...'),
    ],
)
def test_omitted_parts(line: str, shorter: str) -> None:
    assert abbreviated(line) == shorter
    assert abbreviated(shorter) == shorter
