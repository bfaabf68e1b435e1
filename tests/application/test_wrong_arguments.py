"""Arguments of wrong type, size or number raise the errors of Python's functions, and have no effect."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest

from simkernel import Machine, SimulationError
from simkernel.uapi.errno import EINVAL
from simkernel.uapi.signal import SIGCHLD
from simkernel.uapi.socket import AF_UNIX, SOCK_STREAM
from simkernel.uapi.syscalls import SYSCALLS


class Raising:
    """An object whose conversion to a number, a path or a list raises."""

    def _refuse(self) -> Any:
        raise ZeroDivisionError

    __index__ = __fspath__ = __iter__ = fileno = _refuse


class Refusing(int):
    """An int whose operators raise."""

    def _refuse(self, _: object) -> Any:
        raise ZeroDivisionError

    __and__ = __lt__ = __add__ = _refuse


WRONG: Final = (
    None, 1.5, "x", b"x", (), [], {"a": 1}, object(), Raising(), 1 << 70, -(1 << 70), "\0", "\ud800",
    [None], [(1, None)], (None, None),
)  # fmt: skip

OURS: Final = (TypeError, ValueError, OverflowError, SimulationError, OSError, ZeroDivisionError)


def outcome(function: Callable[..., Any], *arguments: Any) -> type[BaseException] | None:
    """Return the class of the exception that a call raises, or None."""
    try:
        function(*arguments)
    except Exception as error:  # noqa: BLE001 - its class is the outcome
        return type(error)
    return None


def open_files(process: Any) -> list[int]:
    """Return the open descriptors of a process."""
    return [fd for fd, _ in process.task.files.items()]


# -- raw calls ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSCALLS)
def test_a_raw_call_refuses_wrong_arguments_and_leaves_nothing(name: str) -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking()
        process.pipe()
        for number, _ in enumerate(SYSCALLS[name].arguments):
            for wrong in WRONG:
                if not process.task.alive:
                    process = machine.blocking()
                    process.pipe()
                arguments: list[Any] = [3] * len(SYSCALLS[name].arguments)
                arguments[number] = wrong
                before = open_files(process)
                try:
                    process.run(process.app.call(name, *arguments))
                except OURS as error:
                    if isinstance(error, TypeError | OverflowError):
                        assert name in str(error)
                    if process.task.alive and name not in ("close", "close_range"):
                        assert open_files(process) == before


@pytest.mark.parametrize("name", SYSCALLS)
def test_a_raw_call_refuses_a_wrong_number_of_arguments(name: str) -> None:
    takes = SYSCALLS[name].arguments
    required = sum(not each.optional for each in takes)
    with Machine(udev=False) as machine:
        app = machine.blocking().app
        for count in {required - 1, len(takes) + 1} - {-1}:
            with pytest.raises(TypeError, match=rf"^{name}\(.*\) was called with {count} arguments$"):
                app.call(name, *[0] * count)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (("close", None), "close: fd must be a C int, not NoneType"),
        (("read", 0, "4"), "read: size must be an int of 64 bits, not str"),
        (("openat", -100, None, 0), "openat: path must be a str, bytes or path, not NoneType"),
        (("sendto", 0, "text"), "sendto: data must be a bytes-like object, not str"),
        (("dup", 1 << 40), "dup: fd must be a C int, not 1099511627776"),
        (("fork_exec", print), "fork_exec: image must be an Image, not builtin_function_or_method"),
        ((5,), "5 is not the name of a system call: pass a name such as 'read'"),
    ],
)
def test_the_error_names_the_call_the_argument_and_the_type(call: tuple[Any, ...], says: str) -> None:
    with Machine(udev=False) as machine:
        app = machine.blocking().app
        with pytest.raises((TypeError, OverflowError)) as error:
            app.call(*call)
        assert str(error.value) == says


def test_an_unknown_call_is_not_modelled_whatever_its_arguments() -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking()
        with pytest.raises(OSError, match="not implemented"):
            process.run(process.app.call("splice", None, object()))


def test_a_subclass_of_int_reaches_the_kernel_as_an_int() -> None:
    with Machine(udev=False) as machine:
        process = machine.blocking()
        reading, writing = process.pipe()
        assert process.run(process.app.call("write", Refusing(writing), b"ping")) == 4
        assert process.read(Refusing(reading), 4) == b"ping"


# -- methods with Python's names -----------------------------------------------------------

FD: Final = object()
"""A placeholder for an open descriptor."""
PATH: Final = object()
"""A placeholder for a path that does not exist."""

IN_OS: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("read", (FD, 1)), ("write", (FD, b"x")), ("pread", (FD, 1, 0)), ("pwrite", (FD, b"x", 0)),
    ("readv", (FD, [bytearray(1)])), ("writev", (FD, [b"x"])), ("lseek", (FD, 0, 0)), ("fstat", (FD,)),
    ("pipe2", (0,)), ("fsync", (FD,)), ("ftruncate", (FD, 0)), ("open", (PATH, 0, 0)), ("stat", (PATH,)),
    ("lstat", (PATH,)), ("readlink", (PATH,)), ("listdir", (PATH,)), ("mkdir", (PATH, 0o700)),
    ("mkfifo", (PATH, 0o700)), ("link", (PATH, PATH)), ("symlink", (PATH, PATH)), ("unlink", (PATH,)),
    ("rmdir", (PATH,)), ("rename", (PATH, PATH)), ("chmod", (PATH, 0o700)), ("chown", (PATH, -1, -1)),
    ("truncate", (PATH, 0)), ("utime", (PATH, (1, 2))), ("chdir", (PATH,)), ("memfd_create", ("x", 1)),
    ("access", (PATH, 0)), ("dup", (FD,)), ("eventfd", (0, 0)), ("waitpid", (1 << 22, 1)),
)  # fmt: skip
IN_SOCKET: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("bind", ("name",)), ("connect", ("name",)), ("connect_ex", ("name",)), ("listen", (1,)),
    ("shutdown", (2,)), ("send", (b"x", 0)), ("sendall", (b"x", 0)), ("sendto", (b"x", 0, "name")),
    ("sendmsg", ([b"x"], [], 0, "name")), ("recv", (1, 0)), ("recvfrom", (1, 0)), ("recvmsg", (1, 0, 0)),
    ("recv_into", (bytearray(1), 0, 0)), ("recvfrom_into", (bytearray(1), 0, 0)),
    ("recvmsg_into", ([bytearray(1)], 0, 0)), ("setsockopt", (1, 7, 1)), ("getsockopt", (1, 7, 4)),
    ("settimeout", (1,)),
)  # fmt: skip
IN_EPOLL: Final[tuple[tuple[str, tuple[Any, ...]], ...]] = (
    ("register", (FD, 1)), ("modify", (FD, 1)), ("unregister", (FD,)), ("poll", (0, 1)),
)  # fmt: skip
PYTHON: Final = (TypeError, ValueError, OverflowError)
BOUND: Final = ("poll", 0)
"""The only argument that the test omits, as (function, index): the timeout of poll(). Python refuses a
timeout that does not fit into a C int. simkernel accepts it, because simulated time has no bound.
"""


def compared(
    name: str, arguments: tuple[Any, ...], ours: Any, theirs: Any, our_fd: int, their_fd: int
) -> list[str]:
    """Return the wrong arguments for which simkernel's function and Python's raise different errors."""
    differences = []
    for position in range(len(arguments)):
        for wrong in WRONG:
            if isinstance(wrong, Raising) or (name, position) == BOUND:
                continue
            given = [*arguments]
            given[position] = wrong
            expected = outcome(theirs, *[_filled(each, their_fd) for each in given])
            if expected is None or not issubclass(expected, PYTHON):
                continue
            found = outcome(ours, *[_filled(each, our_fd) for each in given])
            kinds = {kind for kind in PYTHON if issubclass(expected, kind)}
            if found is None or not any(issubclass(found, kind) for kind in kinds):
                differences.append(f"{name}: argument {position} = {wrong!r}: {found} instead of {expected}")
    return differences


def _filled(value: Any, fd: int) -> Any:
    return fd if value is FD else "missing" if value is PATH else value


@pytest.mark.parametrize(("name", "arguments"), IN_OS, ids=[name for name, _ in IN_OS])
def test_a_method_refuses_the_arguments_that_os_refuses(
    name: str, arguments: tuple[Any, ...], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Machine(udev=False) as machine, open(tmp_path / "file", "w+b", buffering=0) as file:
        process = machine.blocking()
        fd = process.memfd_create("file")
        assert not compared(name, arguments, getattr(process, name), getattr(os, name), fd, file.fileno())


@pytest.mark.parametrize(("name", "arguments"), IN_SOCKET, ids=[name for name, _ in IN_SOCKET])
def test_a_socket_refuses_the_arguments_that_pythons_refuses(
    name: str, arguments: tuple[Any, ...], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Machine(udev=False) as machine, socket.socket(socket.AF_UNIX) as real:
        sock = machine.blocking().socket(AF_UNIX, SOCK_STREAM)
        assert not compared(name, arguments, getattr(sock, name), getattr(real, name), 0, 0)


@pytest.mark.parametrize(("name", "arguments"), IN_EPOLL, ids=[name for name, _ in IN_EPOLL])
def test_an_epoll_object_refuses_the_arguments_that_pythons_refuses(
    name: str, arguments: tuple[Any, ...]
) -> None:
    with Machine(udev=False) as machine, select.epoll() as real, socket.socket() as watched:
        process = machine.blocking()
        ours, fd = process.epoll(), process.eventfd(0)
        ours.register(process.eventfd(1))  # this descriptor is ready, so poll() does not block
        with open(os.eventfd(1), "rb") as ready:
            real.register(ready)
            functions = getattr(ours, name), getattr(real, name)
            assert not compared(name, arguments, *functions, fd, watched.fileno())


def test_a_signal_handler_that_cannot_be_compared_handles_the_signal() -> None:
    class Handler:
        __hash__ = None  # type: ignore[assignment]

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

        def __call__(self, number: int) -> None:
            handled.append(number)

    async def child(app: Any) -> None:
        pass

    async def program(app: Any) -> None:
        await app.signal(SIGCHLD, Handler())
        await app.spawn(child)
        while not handled:
            with suppress(InterruptedError):
                await app.sleep(1)
        await app.wait()
        await app.read_file("/proc/self/stat")

    handled: list[int] = []
    with Machine(udev=False) as machine:
        process = machine.spawn(program)
        machine.run()
        assert handled == [SIGCHLD]
        assert process.exit_status == 0


@pytest.mark.parametrize("number", [-1, 0xFFFFFFFF])
def test_the_id_that_means_none_is_no_user_and_no_group(number: int) -> None:
    with Machine(udev=False) as machine, machine.blocking() as user:
        for call in (user.setuid, user.setgid):
            with pytest.raises(OSError) as raised:
                call(number)
            assert raised.value.errno == EINVAL
        user.setuid(0xFFFFFFFE)
        assert user.getuid() == 0xFFFFFFFE
