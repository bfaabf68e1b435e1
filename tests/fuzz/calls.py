"""A program that makes every call of the application API, with arguments of any type, size and number."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Sequence
from random import Random
from typing import Any, ClassVar, Final

import attrs

from simkernel.application.epoll import Epoll
from simkernel.application.mapping import Mapping
from simkernel.application.netlink_client import NetlinkClient
from simkernel.application.program import Image
from simkernel.application.socket import Socket
from simkernel.application.uevent import UeventMonitor
from simkernel.blocking.epoll import BlockingEpoll
from simkernel.blocking.mapping import BlockingMapping
from simkernel.blocking.process import Blocking, BlockingMonitor, BlockingNetlinkClient
from simkernel.blocking.socket import BlockingSocket
from simkernel.machine import Machine
from simkernel.uapi import fcntl
from simkernel.uapi import socket as so
from simkernel.uapi.errno import error_name
from simkernel.uapi.syscalls import SYSCALLS
from tests.fuzz import caller, chaos, files, wrong
from tests.fuzz.caller import MAX_CHILDREN, MULTIPLY, Plan
from tests.fuzz.files import FileCaller

MAX_KEPT: Final = 12
"""Maximum number of objects that a program keeps."""
SPECIAL: Final = ("__getitem__", "__setitem__", "__len__", "__anext__", "__aenter__", "__repr__")
HIDDEN: Final = ("call", "request", "made", "never_awaited", "socket_type", "around", "unblock")
"""Public names that `methods_of` leaves out: they are not methods for programs, or another part of the fuzzer
calls them.
"""
VALID: Final[dict[str, list[tuple[str, Callable[..., Any]]]]] = {}
"""For each system call: pairs of a group ("netlink" or "files") and a function that returns mostly valid
arguments.
"""
for _name, _draw in caller.CALLS:
    VALID.setdefault(_name, []).append(("netlink", _draw))
for _name, _draw in files.CALLS:
    VALID.setdefault(_name, []).append(("files", _draw))
NAMES: Final = tuple(sorted(SYSCALLS))
MODULES: Final = ("unruly", "unruly", "hello", "camera", "mouse", "devclass", "nosuch")
WHERE: Final = (
    "init", "middle", "exit", "probe", "remove", "open", "read", "write", "ioctl", "poll", "release", ""
)  # fmt: skip


@functools.cache
def parameters_of(kind: type, name: str) -> list[inspect.Parameter]:
    """Return the parameters of a method without `self`."""
    return list(inspect.signature(getattr(kind, name)).parameters.values())[1:]


class CallCaller(FileCaller):
    """A program that makes random calls. The list `kept` contains objects that earlier calls have returned.
    The program also calls the methods of these objects.
    """

    objects: ClassVar[tuple[type, ...]] = (Socket, Epoll, Mapping, UeventMonitor, NetlinkClient)

    def __init__(self, plan: Plan, random: Random) -> None:
        super().__init__(plan, random)
        self.kept: list[Any] = []

    def call(self, app: Any, name: str, arguments: Sequence[Any]) -> Any:
        """Make a raw system call."""
        return app.call(name, *arguments)

    # -- main loops ---------------------------------------------------------------

    async def run(self, app: Any) -> None:
        """Make random calls until the session has made all its calls, or an exception ends the program."""
        with self.plan.calling(app.owner):
            while self.plan.left > 0:
                self.plan.left -= 1
                try:
                    result = self.act(app)
                    if inspect.isawaitable(result):
                        result = await result
                    self.keep(result)
                except Exception as error:  # noqa: BLE001 - `note` judges it
                    self.note(error)
                self.misbehave()

    def generator(self, app: Any) -> Generator[Any, Any, None]:
        """Make random calls as `run` does, in a generator instead of a coroutine."""
        with self.plan.calling(app.owner):
            while self.plan.left > 0:
                self.plan.left -= 1
                try:
                    result = self.act(app)
                    if inspect.isawaitable(result):
                        result = yield result
                    self.keep(result)
                except Exception as error:  # noqa: BLE001 - `note` judges it
                    self.note(error)
                self.misbehave()

    def note(self, error: BaseException) -> None:
        """Count an exception if a call with wrong arguments may raise it. Otherwise raise it again."""
        if not isinstance(error, chaos.ALLOWED) or chaos.CHAOS in map(str, error.args):
            raise error
        name = error_name(error.errno or 0) if isinstance(error, OSError) else type(error).__name__
        self.plan.results[name] += 1

    def misbehave(self) -> None:
        """Raise a random exception with a low probability."""
        if self.random.random() < 0.003:
            chaos.throw(self.random)

    def keep(self, result: Any) -> None:
        """Keep result objects that have methods, and record new descriptors."""
        self.plan.results["done"] += 1
        for each in result if isinstance(result, tuple) else (result,):
            if isinstance(each, self.objects) or hasattr(type(each), "__anext__"):
                self.kept.append(each)
            elif type(each) is int and 0 < each < 40:
                self.protocols.setdefault(each, files.OTHER)
        if len(self.kept) > MAX_KEPT:
            self.kept.pop(self.random.randrange(MAX_KEPT))

    def act(self, app: Any) -> Any:
        """Make one random call. Return its result or an awaitable."""
        pick = self.random.random()
        if pick < 0.35:
            return self.raw(app)
        if pick < 0.55 and self.kept:
            return self.method(self.random.choice(self.kept))
        if pick < 0.88:
            return self.method(app)
        if pick < 0.9:
            return self.misuse(app)
        return self.sensible(app)

    # -- raw calls ------------------------------------------------------------------

    def raw(self, app: Any) -> Any:
        """Make a random system call, with valid or random arguments."""
        random = self.random
        name = random.choice(NAMES)
        if name in VALID and random.random() < 0.8:
            arguments = list(random.choice(VALID[name])[1](self))
            if arguments and random.random() < 0.7:
                arguments[random.randrange(len(arguments))] = wrong.value(random)
        else:
            arguments = [wrong.value(random) for _ in SYSCALLS[name].arguments]
        self.resize(arguments)
        name = wrong.value(random) if random.random() < 0.005 else name
        return self.call(app, name, arguments)

    def resize(self, arguments: list[Any]) -> None:
        """Remove or add one argument with a low probability."""
        pick = self.random.random()
        if pick < 0.05 and arguments:
            arguments.pop(self.random.randrange(len(arguments)))
        elif pick > 0.95:
            arguments.insert(self.random.randrange(len(arguments) + 1), wrong.value(self.random))

    # -- methods --------------------------------------------------------------------

    def method(self, on: Any) -> Any:
        """Call a random method of an object, with random arguments."""
        random = self.random
        names = methods_of(type(on))
        name = random.choice(names)
        if name in ("exit", "wait") and random.random() < 0.9:
            name = random.choice(names)
        if name == "compute" and isinstance(on, Blocking):
            name = "getpid"  # Blocking.compute() with a huge time would make the session wait forever.
        if name == "read_file" and isinstance(on, Blocking):
            name = "getcwd"  # Reading a sparse file of exabytes would never end.
        function = getattr(on, name)
        arguments, keywords = self.arguments(type(on), name)
        return function(*arguments, **keywords)

    def arguments(self, kind: type, name: str) -> tuple[list[Any], dict[str, Any]]:
        """Return arguments for a method: all valid, some invalid, or all invalid."""
        random = self.random
        right = random.choice((1, 1, 0.8, 0.8, 0.8, 0.3, 0))
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        for parameter in parameters_of(kind, name):
            if parameter.kind is parameter.VAR_POSITIONAL:
                positional += [self.right(parameter.name) for _ in range(random.randrange(3))]
            elif parameter.kind is parameter.VAR_KEYWORD:
                if random.random() < 0.3:
                    keywords[random.choice(("name", "what", "where", "sequence"))] = wrong.value(random)
            elif parameter.default is not parameter.empty and random.random() < 0.5:
                if parameter.kind is not parameter.KEYWORD_ONLY and random.random() < 0.9:
                    positional.append(parameter.default)
            else:
                value = self.right(parameter.name) if random.random() < right else wrong.value(random)
                if parameter.kind is parameter.KEYWORD_ONLY:
                    keywords[parameter.name] = value
                else:
                    positional.append(value)
        self.resize(positional)
        return positional, keywords

    def right(self, name: str) -> Any:
        """Return a valid value for a parameter with this name."""
        draw = RIGHT.get(name)
        return wrong.value(self.random) if draw is None else draw(self)

    # -- wrong uses of calls ----------------------------------------------------------

    def misuse(self, app: Any) -> Any:
        """Misuse a call (an awaitable object): discard it, await it twice, pass it to another program, step
        it manually, or await an arbitrary value.
        """
        call = self.random.choice((app.getpid, app.lsmod, lambda: app.sleep(0.001)))()
        lent = self.plan.lent  # type: ignore[attr-defined]
        pick = self.random.randrange(6)
        if pick == 0:
            return None
        if pick == 1:
            return self._twice(call)
        if pick == 2:
            lent.append(call)
            return None
        if pick == 3:
            return lent.pop() if lent else call
        if pick == 4:
            return self._by_hand(app.sleep(0.001))
        return self._awaits(wrong.value(self.random))

    async def _twice(self, call: Any) -> None:
        await call
        await call

    async def _by_hand(self, call: Any) -> None:
        next(call.__await__(), None)

    async def _awaits(self, value: Any) -> None:
        if hasattr(type(value), "__await__"):
            return
        await Yielding(value)

    # -- calls that create state ------------------------------------------------------

    def sensible(self, app: Any) -> Any:
        """Make a valid call that creates state: files, sockets, child processes or modules."""
        random = self.random
        pick = random.randrange(12)
        if pick < 6:
            name, draw = random.choices(files.CALLS, files.WEIGHTS)[0]
            if name not in (*MULTIPLY, "exit"):
                return self.call(app, name, draw(self))
        if pick == 6:
            path = self.pick("/tmp/a", "/dev/unruly", "/dev/zero", "/dev/video0", "/dev/input/event0")
            return app.open(path, self.pick(fcntl.O_RDWR | fcntl.O_CREAT, fcntl.O_RDONLY) | fcntl.O_NONBLOCK)
        if pick == 7:
            return app.socket(
                *self.pick(
                    (so.AF_NETLINK, so.SOCK_RAW, 16),
                    (so.AF_UNIX, so.SOCK_STREAM | so.SOCK_NONBLOCK, 0),
                    (16, 3, 2),
                )
            )
        if pick == 8:
            return random.choice((app.uevents, lambda: app.genetlink("camera"), app.epoll, app.socketpair))()
        if pick == 9:
            parameters = {"where": random.choice(WHERE), "what": random.randrange(20)}
            name = random.choice(MODULES)
            return (
                random.choice((app.insmod, app.rmmod, app.modprobe, app.rmmod))(
                    name, **(parameters if name == "unruly" and random.random() < 0.5 else {})
                )
                if random.random() < 0.7
                else app.rmmod(name)
            )
        if pick == 10:
            return app.signal(self.pick(10, 12, 15, 17), self.pick(self.handler, self.bad_handler, 0, 1))
        if len(self.plan.callers) < MAX_CHILDREN:
            other = FacadeCaller(self.plan, Random(random.random()))
            other.protocols = dict(self.protocols)
            program = random.choice((other.run, other.generator, other.plain))
            start = random.choice(("spawn", "spawn", "thread", "fork"))
            if start != "fork":
                return getattr(app, start)(program, name="caller")
            system = getattr(app, "app", app)._system
            return self.call(app, "fork", (Image(system, program, (), {}, "caller"),))
        return app.kill(random.randrange(2, 40), self.pick(10, 12, 15, 17))

    def handler(self, number: int) -> None:
        """A signal handler that does nothing."""

    def bad_handler(self, number: int) -> None:
        """A signal handler that raises a random exception."""
        chaos.throw(self.random)


class FacadeCaller(CallCaller):
    """A caller that also makes random calls of the blocking interface, as code outside the simulation uses
    it.
    """

    objects = (
        *CallCaller.objects,
        BlockingSocket,
        BlockingEpoll,
        BlockingMapping,
        BlockingMonitor,
        BlockingNetlinkClient,
    )

    def plain(self, app: Any) -> None:
        """Make random calls as `run` does, in a plain function."""
        with self.plan.calling(app.app.owner):
            while self.plan.left > 0:
                self.plan.left -= 1
                try:
                    self.keep(self.act(app))
                except Exception as error:  # noqa: BLE001 - `note` judges it
                    self.note(error)
                self.misbehave()

    def call(self, app: Any, name: str, arguments: Sequence[Any]) -> Any:
        """Make a raw system call. If `app` is a `Blocking` interface, wait until the call ends."""
        if isinstance(app, Blocking):
            return app.run(app.app.call(name, *arguments))
        return super().call(app, name, arguments)

    def misuse(self, app: Any) -> Any:
        """Wait for an object that is not a call, or wait a second time for a call that has ended."""
        if not isinstance(app, Blocking):
            return super().misuse(app)
        call = app.app.getpid()
        app.run(call)
        return app.run(self.pick(call, wrong.value(self.random)))

    def machine(self, machine: Machine, devices: list[Any]) -> Any:
        """Call a random method of the machine, with random arguments."""
        random, value = self.random, wrong.value(self.random)
        device = random.choice(devices)
        early = (
            value if not isinstance(value, int) or value < 1 << 62 else 0
        )  # A larger time could overflow the 64-bit time of a device.
        return random.choice(
            (
                lambda: machine.plug(random.choice((value, device))),
                lambda: machine.plug(device, slot=value),
                lambda: machine.unplug(device),
                lambda: machine.spawn(value),
                lambda: machine.spawn(child, value, name=wrong.value(random)),
                lambda: machine.spawn(child, uid=value),
                lambda: machine.spawn(child, capabilities=value),
                lambda: machine.blocking(value).exit(),
                lambda: machine.at(early, list),
                lambda: machine.run(early),
                lambda: machine.unplug(value),
            )
        )()


class Yielding:
    """An awaitable that yields an arbitrary value to the kernel."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self.value)


@attrs.define
class CallPlan(Plan):
    """State that the callers of a session share. `lent` contains calls (awaitable objects) that one program
    passes to others.
    """

    lent: list[Any] = attrs.field(factory=list)


@functools.cache
def methods_of(kind: type) -> tuple[str, ...]:
    """Return the names of a class's public methods, and of those special methods that SPECIAL lists."""
    return tuple(
        name
        for name in sorted(dir(kind))
        if callable(getattr(kind, name))
        and not isinstance(inspect.getattr_static(kind, name), property | classmethod)
        and (not name.startswith("_") or (name in SPECIAL and name in _own(kind)))
        and name not in HIDDEN
    )


def _own(kind: type) -> set[str]:
    return {name for each in kind.__mro__[:-1] for name in vars(each)}


async def child(app: Any, *arguments: Any) -> None:
    """A short child program that sleeps once."""
    await app.sleep(0.0001)


RIGHT: Final[dict[str, Callable[[CallCaller], Any]]] = {
    "fd": FileCaller.descriptor,
    "fileno": FileCaller.descriptor,
    "n": lambda c: c.pick(0, 1, 100, 4096),
    "data": lambda c: c.pick(b"", b"x", b"word" * 100, bytearray(9)),
    "offset": lambda c: c.pick(0, 0, 1, 4096),
    "buffers": lambda c: c.pick([], [bytearray(4)], [bytearray(4), bytearray(9)]),
    "buffer": lambda c: bytearray(c.pick(0, 1, 100)),
    "position": lambda c: c.pick(0, 1, 4096),
    "whence": lambda c: c.pick(0, 1, 2),
    "low": lambda c: c.pick(5, 20), "high": lambda c: c.pick(9, 30),
    "other": lambda c: c.pick(5, 9, 30),
    "limit": lambda c: c.pick(20, 64, 1024),
    "command": lambda c: c.pick(0, 1, 2, 3, 4, 1031),
    "argument": lambda c: c.pick(0, 1, b"1234", bytearray(64)),
    "request": lambda c: c.pick(*files.VIDEO, *files.EVENTS, 0x541B, 0x5421),
    "flags": lambda c: c.pick(0, 0, 0, so.MSG_DONTWAIT, 1),
    "initval": lambda c: c.pick(0, 1, 5),
    "value": lambda c: c.pick(0, 1, 7, b"1234"),
    "watched": lambda c: [(c.descriptor(), c.pick(1, 4, 5)) for _ in range(c.random.randrange(3))],
    "timeout": lambda c: c.pick(0, 0, 0.001, 1),
    "rlist": lambda c: [c.descriptor()], "wlist": lambda c: [c.descriptor()], "xlist": lambda c: [],
    "sizehint": lambda c: c.pick(-1, 1),
    "path": FileCaller.path, "src": FileCaller.path, "dst": FileCaller.path,
    "mode": lambda c: c.pick(0o777, 0o666, 0),
    "device": lambda c: c.pick(*files.NUMBERS),
    "dir_fd": lambda c: c.pick(None, c.descriptor()),
    "seconds": lambda c: c.pick(0, 0.0001, 0.001),
    "ns": lambda c: c.pick(0, 100, 10_000, (1, 2)),
    "times": lambda c: c.pick(None, (1, 2.5)),
    "uid": lambda c: c.pick(0, 0, 1000, -1), "gid": lambda c: c.pick(0, 0, 1000, -1),
    "groups": lambda c: c.pick([], [1, 2]),
    "capabilities": lambda c: c.pick([], [12], range(40)),
    "program": lambda c: child,
    "code": lambda c: c.pick(0, 3),
    "pid": lambda c: c.pick(-1, -1, c.random.randrange(40)),
    "options": lambda c: 1,
    "signal": lambda c: c.pick(0, 10, 12, 15, 17, 29),
    "handler": lambda c: c.pick(0, 1, c.handler, c.bad_handler),
    "family": lambda c: c.pick(16, 1, "camera", "mouse", "nlctrl"),
    "type": lambda c: c.pick(3, 1, 2, 2048 | 1), "proto": lambda c: c.pick(0, 16, 2, 15),
    "name": lambda c: c.pick(*MODULES, None), "length": lambda c: c.pick(0, 1, 4096, 100_000),
    "prot": lambda c: c.pick(1, 3), "access": lambda c: c.pick(0, 1, 2, 3),
    "address": lambda c: c.pick((0, 0), (5, 0), "/tmp/sock", b"\0one", ""),
    "backlog": lambda c: c.pick(0, 5), "how": lambda c: c.pick(0, 1, 2),
    "bufsize": lambda c: c.pick(0, 1, 100, 8192), "ancbufsize": lambda c: c.pick(0, 20, 100),
    "nbytes": lambda c: c.pick(0, 1, 50), "buflen": lambda c: c.pick(0, 4, 100),
    "level": lambda c: c.pick(1, 1, 270), "option": lambda c: c.pick(*range(1, 20)),
    "ancdata": lambda c: c.pick((), [(1, 1, b"\3\0\0\0")]),
    "flags_and_address": lambda c: c.pick(0, (0, 0), "/tmp/sock", b"\0one"),
    "group": lambda c: c.pick("frames", "devices"),
    "operation": lambda c: c.pick("set-format", "list-formats", "get-format", "read-frame"),
    "eventmask": lambda c: c.pick(1, 4, 5), "maxevents": lambda c: c.pick(-1, 1, 5),
    "key": lambda c: c.pick(0, 5, -1, slice(0, 3)), "mask": lambda c: c.pick(0, 0o22),
    "start": lambda c: c.pick(0, 3), "end": lambda c: c.pick(0, 30), "pos": lambda c: c.pick(0, 3),
    "sub": lambda c: c.pick(b"\0", b"x"), "dest": lambda c: c.pick(0, 3), "count": lambda c: c.pick(0, 3),
    "byte": lambda c: c.pick(0, 255), "size": lambda c: c.pick(0, 10, None), "names": lambda c: "frame-ready",
    "flag": lambda c: c.pick(True, False), "spec": lambda c: None,
}  # fmt: skip
