"""A program that makes random calls on files: devices, pipes, unix sockets, epoll, memory and paths.

In these sessions, `Plan.left` counts calls instead of messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from struct import pack
from typing import Any, Final

from simkernel.uapi import fcntl, input, mman, stat
from simkernel.uapi import socket as so
from simkernel.uapi.ioctl import _IOC_SIZE
from simkernel.uapi.un import encode_sockaddr_un
from simkernel.uapi.video import ioctls, structures
from tests.fuzz.caller import CALLS_BY_WEIGHT, Arguments, Caller, Plan

CAMERA, MOUSE, PIPE, UNIX, EPOLL, OTHER = "camera", "mouse", "pipe", "unix", "epoll", "other"

DEVICES: Final = {
    "/dev/video0": CAMERA, "/dev/video1": CAMERA, "/dev/input/event0": MOUSE, "/dev/input/event1": MOUSE,
    "/proc/self/ns/net": OTHER, "/dev/null": OTHER, "/dev/zero": OTHER,
    "/dev/full": OTHER, "/dev/kmsg": OTHER, "/dev/urandom": OTHER,
}  # fmt: skip
CONTROLS: Final = (
    "/sys/bus/simbus/drivers/camera/unbind", "/sys/bus/simbus/drivers/camera/bind",
    "/sys/bus/simbus/drivers/mouse/unbind", "/sys/bus/simbus/drivers/mouse/bind",
    "/sys/bus/simbus/drivers_autoprobe", "/sys/bus/simbus/drivers_probe", "/sys/class/mem/null/uevent",
    "/sys/class/input/input0/inhibited", "/sys/class/video4linux/video0/uevent", "/proc/self/comm",
)  # fmt: skip
WORDS: Final = (b"0:1", b"0:2\n", b"0:3", b"add", b"change\n", b"remove", b"0", b"1", b"nosuch", b"")
TOLD: Final = (
    "/proc/modules", "/proc/devices", "/proc/interrupts", "/proc/loadavg", "/proc/net/netlink", "/proc/kmsg",
    "/proc/self/status", "/proc/self/fdinfo/3", "/proc/mounts", "/sys/module/camera/refcnt",
    "/sys/class/video4linux/video0/name", "/sys/devices/simbus0/0:1/uevent",
)  # fmt: skip
FOLDERS: Final = (
    "/",
    "/dev",
    "/dev/input",
    "/proc",
    "/proc/self/fd",
    "/sys/bus/simbus",
    "/tmp",
    ".",
    "/tmp/d",
)
OURS: Final = (
    "/tmp/a", "/tmp/b", "/tmp/d", "/tmp/d/a", "/tmp/d/e", "/tmp/link", "a", "../a", "/dev/shm/m", "/dev/new",
    "/tmp/fifo", "/tmp/sock", "/proc/self/fd/3", "", "/tmp/" + "n" * 256, "x/" * 2049,
)  # fmt: skip
PLACES: Final = (*DEVICES, *CONTROLS, *TOLD, *FOLDERS, *OURS, *OURS, *OURS)


def _requests(module: object, prefix: str) -> Iterator[int]:
    """Yield the ioctl request numbers that a header defines."""
    for name, number in vars(module).items():
        if name.startswith(prefix) and isinstance(number, int):
            yield number


VIDEO: Final = tuple(_requests(ioctls, "VIDIOC_"))
EVENTS: Final = (
    *_requests(input, "EVIOC"),
    input.EVIOCGNAME(64), input.EVIOCGPHYS(3), input.EVIOCGUNIQ(0), input.EVIOCGPROP(8), input.EVIOCGKEY(96),
    input.EVIOCGLED(8), input.EVIOCGBIT(0, 8), input.EVIOCGBIT(1, 96), input.EVIOCGBIT(2, 8),
    input.EVIOCGABS(0), input.EVIOCSABS(47),
)  # fmt: skip
COMMON: Final = (0x541B, 0x5411, 0x5421, 0x5450, 0x5451, 0x5452, 0, 99, 0xFFFFFFFF)
SIZES: Final = (0, 1, 7, 8, 23, 24, 100, 4095, 4096, 5000, 70_000, 700_000)
SMALL: Final = (0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 160, 120, 0xFFFFFFFF, 0x80000000)
OFFSETS: Final = (0, 0, 0, 1, 4096, 8192, 65536, -1, 1 << 40, (1 << 63) - 1)
NODES: Final = (stat.S_IFIFO | 0o666, 0o644, stat.S_IFCHR | 0o666, stat.S_IFDIR | 0o755)
NUMBERS: Final = (0, stat.makedev(13, 64), stat.makedev(81, 0), stat.makedev(99, 9))
OFTEN: Final = (fcntl.O_CREAT, fcntl.O_EXCL, fcntl.O_TRUNC, fcntl.O_APPEND, fcntl.O_DIRECTORY)
SELDOM: Final = (
    fcntl.O_ASYNC, fcntl.O_CLOEXEC, fcntl.O_DIRECT, fcntl.O_NOATIME, fcntl.O_NOFOLLOW, fcntl.O_PATH,
)  # fmt: skip
LOOKS: Final = (0, fcntl.AT_SYMLINK_NOFOLLOW, fcntl.AT_EMPTY_PATH)
NANOSECONDS: Final = (0, 0, 0, 0, 1000, 50_000)


class FileCaller(Caller):
    """A program that makes random calls on files. `protocols` contains the kind of each descriptor."""

    devices = True

    def __init__(self, plan: Plan, random: Random) -> None:
        super().__init__(plan, random)
        self.mapped: list[int] = []

    async def _one(self, app: Any) -> None:
        if self.random.random() < 0.02:
            with suppress(OSError):
                await self._connect(app)
        else:
            await super()._one(app)

    async def _connect(self, app: Any) -> None:
        """Create a listener with a pending connection. Random calls seldom reach this state."""
        kind, address = so.SOCK_STREAM | so.SOCK_NONBLOCK, self.address()
        for call, arguments in (("bind", (address,)), ("listen", (2,)), ("connect", (address,))):
            if call != "listen":
                fd = await app.call("socket", so.AF_UNIX, kind, 0)
                self.protocols[fd] = UNIX
            await app.call(call, fd, *arguments)
        self.plan.results["a connection"] += 1

    def draw(self) -> tuple[str, Arguments]:
        """Return a random call: its name and arguments."""
        self.plan.left -= 1
        name, draw = self.random.choices(CALLS, WEIGHTS)[0]
        if name in ("ioctl", "mmap") and not {CAMERA, MOUSE} & set(self.protocols.values()):
            node = self.pick("/dev/video0", "/dev/input/event0")
            return "openat", (fcntl.AT_FDCWD, node, fcntl.O_RDWR | fcntl.O_NONBLOCK, 0)
        return name, draw(self)

    def remember(self, name: str, arguments: Arguments, result: Any) -> None:
        """Record new descriptors and mappings of a call's result."""
        if name == "openat":
            self.protocols[result] = DEVICES.get(arguments[1], OTHER)
        elif name in ("memfd_create", "eventfd2"):
            self.protocols[result] = OTHER
        elif name in ("pipe2", "socketpair"):
            self.protocols |= dict.fromkeys(result, PIPE if name == "pipe2" else UNIX)
        elif name == "epoll_create1":
            self.protocols[result] = EPOLL
        elif name == "socket":
            self.protocols[result] = UNIX
        elif name == "accept4":
            self.protocols[result[0]] = UNIX
        elif name in ("dup", "dup2", "dup3"):
            self.protocols[result] = self.protocols.get(arguments[0], OTHER)
        elif name == "mmap":
            self.mapped.append(int(result))
        elif name == "recvmsg":
            _, _, control, _, _ = result
            for level, kind, data in control:
                if (level, kind) == (so.SOL_SOCKET, so.SCM_RIGHTS):
                    fds = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
                    self.protocols |= dict.fromkeys(fds, OTHER)

    def of(self, kind: str) -> int:
        """Return a descriptor, mostly one of the given kind."""
        fds = [fd for fd, each in self.protocols.items() if each == kind]
        return self.random.choice(fds) if fds and self.random.random() < 0.9 else self.descriptor()

    def path(self) -> str:
        """Return a random path."""
        return self.random.choice(PLACES)

    def at(self) -> int:
        """Return a directory descriptor for a path, nearly always AT_FDCWD."""
        return fcntl.AT_FDCWD if self.random.random() < 0.97 else self.descriptor()

    def pick(self, *what: Any) -> Any:
        """Return one of the arguments, selected at random."""
        return self.random.choice(what)

    def address(self) -> bytes:  # type: ignore[override]
        """Return a random address of a unix socket."""
        name = self.pick(b"/tmp/sock", b"/tmp/a", b"\0one", b"\0two", b"", b"x" * 107, b"/dev/null")
        return encode_sockaddr_un(name)


Draw = Callable[[FileCaller], Arguments]


def _open(c: FileCaller) -> Arguments:
    random = c.random
    if random.random() < 0.1:
        return c.at(), random.choice(FOLDERS), fcntl.O_RDONLY | c.pick(0, fcntl.O_DIRECTORY), 0
    flags = c.pick(fcntl.O_RDONLY, fcntl.O_WRONLY, fcntl.O_RDWR, fcntl.O_RDWR)
    flags |= 0 if random.random() < 0.02 else fcntl.O_NONBLOCK
    for chance, some in ((0.15, OFTEN), (0.02, SELDOM)):
        flags |= sum(flag for flag in some if random.random() < chance)
    path = random.choice(tuple(DEVICES)) if random.random() < 0.4 else c.path()
    return c.at(), path, flags, c.pick(0o777, 0o666, 0, 0o4755)


def _filled(random: Random, size: int) -> memoryview:
    """Return a buffer of small numbers. An ioctl may accept them as its argument."""
    words = b"".join(pack("<I", random.choice(SMALL)) for _ in range(size // 4 + 1))
    return memoryview(bytearray(words[:size]))


def _streaming(c: FileCaller) -> tuple[int, memoryview]:
    """Return an ioctl of the camera that is part of streaming, mostly with valid arguments."""
    count, index = c.pick(0, 1, 2, 4, 40), c.pick(0, 0, 1, 2, 3, 9)
    request, argument = c.pick(
        (ioctls.VIDIOC_REQBUFS, structures.V4l2Requestbuffers(count=count, type=1).pack()),
        (ioctls.VIDIOC_QUERYBUF, structures.V4l2Buffer(index=index, type=1).pack()),
        (ioctls.VIDIOC_QBUF, structures.V4l2Buffer(index=index, type=1).pack()),
        (ioctls.VIDIOC_QBUF, structures.V4l2Buffer(index=index, type=1).pack()),
        (ioctls.VIDIOC_DQBUF, structures.V4l2Buffer(type=1).pack()),
        (ioctls.VIDIOC_DQBUF, structures.V4l2Buffer(type=1).pack()),
        (ioctls.VIDIOC_STREAMON, pack("<i", 1)),
        (ioctls.VIDIOC_STREAMOFF, pack("<i", 1)),
        (ioctls.VIDIOC_SUBSCRIBE_EVENT, structures.V4l2EventSubscription(type=3, id=0x00980911).pack()),
    )
    return request, memoryview(bytearray(argument))


def _ioctl(c: FileCaller) -> Arguments:
    random = c.random
    pick = random.random()
    if pick < 0.4:
        return (c.of(CAMERA), *_streaming(c))
    if pick < 0.9:
        kind = c.pick(CAMERA, MOUSE)
        request = random.choice(VIDEO if kind == CAMERA else EVENTS)
        if random.random() < 0.1:
            return c.of(kind), request, random.choice(SMALL)
        return c.of(kind), request, _filled(random, max(_IOC_SIZE(request), 4))
    return c.descriptor(), random.choice(COMMON), c.pick(0, 1, _filled(random, 64))


def _write(c: FileCaller) -> Arguments:
    random = c.random
    data = c.pick(
        b"x" * random.choice(SIZES[:-1]), random.choice(WORDS), pack("<Q", random.choice(SMALL)),
        pack("<qqHHi", 0, 0, *c.pick((2, 0, 5), (1, 0x110, 1), (1, 0x110, 0), (0, 0, 0), (99, 99, 99))),
    )  # fmt: skip
    return c.descriptor(), data


def _mmap(c: FileCaller) -> Arguments:
    flags = c.pick(
        mman.MAP_SHARED, mman.MAP_SHARED, mman.MAP_PRIVATE, mman.MAP_PRIVATE | mman.MAP_ANONYMOUS, 99
    )
    prot = c.pick(mman.PROT_READ, mman.PROT_READ | mman.PROT_WRITE, 0)
    size = c.pick(0, 1, 4096, 19_200, 38_400, 1 << 50)
    return 0, size, prot, flags, c.of(CAMERA), c.random.choice(OFFSETS)


def _munmap(c: FileCaller) -> Arguments:
    address = c.random.choice(c.mapped) if c.mapped else 0
    return address, c.pick(4096, 19_200, 38_400, 1 << 40)


def _sendmsg(c: FileCaller) -> Arguments:
    fds = [c.descriptor() & 0x7FFFFFFF for _ in range(c.pick(0, 1, 1, 2, 300))]
    control = [(so.SOL_SOCKET, c.pick(so.SCM_RIGHTS, so.SCM_RIGHTS, 99), pack(f"<{len(fds)}I", *fds))]
    return c.of(UNIX), b"y" * c.random.choice(SIZES[:-1]), control, c.flags(), c.pick(None, None, c.address())


def _sendto(c: FileCaller) -> Arguments:
    data = b"z" * c.random.choice(SIZES[:-1])
    return c.of(UNIX), data, c.flags(), c.pick(None, c.address())


def _fcntl(c: FileCaller) -> Arguments:
    command, argument = c.pick(
        (fcntl.F_GETFL, 0), (fcntl.F_GETOWN, 0), (fcntl.F_SETFD, 1), (99, 0),
        (fcntl.F_SETFL, fcntl.O_NONBLOCK | c.pick(0, fcntl.O_ASYNC, fcntl.O_APPEND)),
        (fcntl.F_SETOWN, c.random.randrange(30)), (fcntl.F_SETSIG, c.pick(0, 10, 17, 99)),
        (fcntl.F_SETPIPE_SZ, c.pick(*SIZES, 1 << 20)), (fcntl.F_DUPFD, c.pick(0, 30, 1024)),
    )  # fmt: skip
    return c.descriptor(), command, argument


def _watch(c: FileCaller) -> Arguments:
    events = c.pick(1, 4, 5, 7, 0x2001, 0) | c.pick(0, 0, 1 << 31, 1 << 30, 1 << 28)
    return c.of(EPOLL), c.pick(1, 1, 1, 2, 3, 9), c.descriptor(), events, c.random.randrange(10)


def _poll(c: FileCaller) -> Arguments:
    return [(c.descriptor(), c.pick(1, 4, 5, 7, 0)) for _ in range(c.random.randrange(4))], c.pick(
        *NANOSECONDS
    )


def _two_paths(c: FileCaller) -> Arguments:
    return c.at(), c.path(), c.at(), c.path(), c.pick(0, 0, 0, 1)


FILES: Final[tuple[tuple[str, int, Draw], ...]] = (
    ("openat", 120, _open),
    ("close", 60, lambda c: (c.descriptor(),)),
    ("close_range", 1, lambda c: (c.pick(0, 5, 20), c.pick(6, 30, 0xFFFFFFFF))),
    ("read", 90, lambda c: (c.descriptor(), c.random.choice(SIZES))),
    ("readv", 10, lambda c: (c.descriptor(), [c.random.choice(SIZES), 24])),
    ("write", 70, _write),
    ("writev", 5, _write),
    ("pread64", 10, lambda c: (c.descriptor(), c.random.choice(SIZES), c.random.choice(OFFSETS))),
    ("pwrite64", 10, lambda c: (*_write(c), c.pick(0, 1, 4096, 100_000, -1))),
    ("lseek", 15, lambda c: (c.descriptor(), c.random.choice(OFFSETS), c.pick(0, 1, 2, 3, 4, 9))),
    ("ioctl", 200, _ioctl),
    ("mmap", 25, _mmap),
    ("munmap", 10, _munmap),
    ("msync", 2, lambda c: (*_munmap(c), c.pick(0, 1, 4))),
    ("poll", 25, _poll),
    ("select", 10, lambda c: (tuple([fd for fd, _ in _poll(c)[0]] for _ in range(3)), c.pick(*NANOSECONDS))),
    ("epoll_create1", 8, lambda c: (c.pick(0, 0, 99),)),
    ("epoll_ctl", 40, _watch),
    ("epoll_wait", 30, lambda c: (c.of(EPOLL), c.pick(0, 1, 2, 100), c.pick(*NANOSECONDS))),
    ("fcntl", 30, _fcntl),
    ("dup", 8, lambda c: (c.descriptor(),)),
    ("dup2", 5, lambda c: (c.descriptor(), c.pick(3, 7, 30, 1024, -1))),
    ("dup3", 3, lambda c: (c.descriptor(), c.pick(3, 7, 30), c.pick(0, fcntl.O_CLOEXEC))),
    ("pipe2", 10, lambda c: (fcntl.O_NONBLOCK | c.pick(0, 0, fcntl.O_DIRECT, 99),)),
    ("eventfd2", 5, lambda c: (c.pick(0, 1, 0xFFFFFFFF), fcntl.O_NONBLOCK | c.pick(0, 1))),
    ("memfd_create", 5, lambda c: ("memory", c.pick(0, 1))),
    ("socket", 8, lambda c: (so.AF_UNIX, c.pick(so.SOCK_STREAM, so.SOCK_DGRAM) | so.SOCK_NONBLOCK, 0)),
    ("socketpair", 12, lambda c: (so.AF_UNIX, c.pick(so.SOCK_STREAM, so.SOCK_DGRAM) | so.SOCK_NONBLOCK, 0)),
    ("bind", 10, lambda c: (c.of(UNIX), c.address())),
    ("connect", 15, lambda c: (c.of(UNIX), c.address())),
    ("listen", 10, lambda c: (c.of(UNIX), c.pick(0, 1, 5))),
    ("accept4", 12, lambda c: (c.of(UNIX), c.pick(0, so.SOCK_NONBLOCK))),
    ("shutdown", 4, lambda c: (c.of(UNIX), c.pick(0, 1, 2, 3))),
    ("sendto", 20, _sendto),
    ("sendmsg", 30, _sendmsg),
    ("recvmsg", 40, lambda c: (c.of(UNIX), c.random.choice(SIZES), c.pick(0, 20, 100, 2000), c.flags())),
    ("setsockopt", 8, lambda c: (c.of(UNIX), 1, c.pick(7, 8, 16, 18, 21), pack("<i", c.pick(0, 1, 5000)))),
    ("getsockopt", 4, lambda c: (c.of(UNIX), 1, c.random.randrange(60), 12)),
    ("getdents64", 15, lambda c: (c.descriptor(), c.pick(0, 24, 100, 32_768))),
    ("newfstatat", 15, lambda c: (c.at(), c.path(), c.pick(*LOOKS))),
    ("fstat", 8, lambda c: (c.descriptor(),)),
    ("readlinkat", 5, lambda c: (c.at(), c.path())),
    ("faccessat", 5, lambda c: (c.at(), c.path(), c.pick(0, 4, 7, 9))),
    ("mkdirat", 8, lambda c: (c.at(), c.path(), c.pick(0o777, 0))),
    ("mknodat", 8, lambda c: (c.at(), c.path(), c.pick(*NODES), c.pick(*NUMBERS))),
    ("symlinkat", 5, lambda c: (c.path(), c.at(), c.path())),
    ("linkat", 5, _two_paths),
    ("renameat2", 8, _two_paths),
    ("unlinkat", 12, lambda c: (c.at(), c.pick(*OURS, *DEVICES), c.pick(0, 0, fcntl.AT_REMOVEDIR))),
    ("fchmodat", 4, lambda c: (c.at(), c.path(), c.pick(0o777, 0, 0o6755))),
    ("fchmod", 2, lambda c: (c.descriptor(), c.pick(0o777, 0))),
    ("fchownat", 4, lambda c: (c.at(), c.path(), c.pick(-1, 0, 1000), c.pick(-1, 0, 1000))),
    ("fchown", 2, lambda c: (c.descriptor(), c.pick(-1, 0), 1000)),
    ("utimensat", 3, lambda c: (c.at(), c.path(), c.pick(None, (1, 2)))),
    ("truncate", 4, lambda c: (c.path(), c.random.choice(SIZES))),
    ("ftruncate", 6, lambda c: (c.descriptor(), c.pick(*SIZES, -1, 1 << 40))),
    ("fsync", 2, lambda c: (c.descriptor(),)),
    ("chdir", 3, lambda c: (c.random.choice(FOLDERS),)),
    ("fchdir", 2, lambda c: (c.descriptor(),)),
    ("getcwd", 2, lambda c: ()),
    ("umask", 1, lambda c: (c.pick(0, 0o22, 0o777),)),
    ("kill", 3, lambda c: (c.random.randrange(30), c.pick(0, 9, 10, 17, 29))),
    ("rt_sigaction", 3, lambda c: (c.pick(10, 17, 29), c.pick(0, 1, lambda number: None))),
)  # fmt: skip
OTHERS: Final = ("nanosleep", "sched_yield", "prlimit", "setuid", "setns", "unshare", "wait4",
                 "exit", "fork", "fork_exec", "clone_thread", "finit_module", "delete_module")  # fmt: skip
_ALL: Final = (*FILES, *(each for each in CALLS_BY_WEIGHT if each[0] in OTHERS))
CALLS: Final[list[tuple[str, Callable[..., Arguments]]]] = [(name, draw) for name, _, draw in _ALL]
WEIGHTS: Final = [weight for _, weight, _ in _ALL]
