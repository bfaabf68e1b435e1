"""The transports between a program and the driver `ipc_demo`."""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any, Final

import attrs

from simkernel import App
from simkernel.uapi import fcntl, ipc_demo, netlink, signal, socket
from simkernel.uapi.genetlink import GENL_HDRLEN
from simkernel.uapi.ioctl import _IOR
from simkernel.uapi.mman import PROT_READ
from simkernel.uapi.structure import U64

from . import transport as common
from .transport import YES, Function, Listener, Polled, Session, Transport, in_child, refused

FAMILY: Final = "ipc_demo"
QUESTION, EVENTS, FRAME = (f"/dev/ipc_demo/{name}" for name in ("question", "event", "frame"))
SYSFS_ANSWER: Final = "/sys/class/ipc_demo/question/answer"
SYSFS_LAST: Final = "/sys/class/ipc_demo/event/last"
PAGE: Final = 4096
BUFSIZE: Final = 1 << 18
MAX_ATTRIBUTE: Final = 65531
NUMBER: Final = 1
"""Attribute type (`nla_type`) of `number`, the serial number of an event (ipc_demo.yaml)."""
OLD_LAST: Final = _IOR("D", 0x06, U64.size)
"""The request number that IPC_DEMO_LAST had when its structure had only one field. The request number of an
ioctl contains the size of its structure, so it changes if a field is added.
"""
NO_BYTES: Final = "no bytes"


@attrs.frozen
class End:
    """The file descriptors and the memory that a program uses for questions and frames."""

    app: App
    client: Any
    sock: Any
    question: int
    frame: int
    sysfs: int
    memory: Any
    """Private memory of the program. An ioctl passes addresses in this memory to the driver."""
    shared: Any
    """Memory that the program shares with the driver, for the question and the answer."""
    frames: Any
    sequence: count[int] = attrs.field(factory=count)

    @classmethod
    async def open(cls, session: Session) -> End:
        """Open all nodes and map all memory."""
        app = session.app
        question, frame = await app.open(QUESTION, fcntl.O_RDWR), await app.open(FRAME, fcntl.O_RDWR)
        return cls(
            app, await app.genetlink(FAMILY), await netlink_socket(app), question, frame,
            await app.open(SYSFS_ANSWER, fcntl.O_RDWR), await app.mmap(-1, 2 * common.MAX_QUESTION),
            await app.mmap(question, ipc_demo.QUESTION_MEMORY),
            (await app.mmap(frame, ipc_demo.MAX_FRAME)).memory,
        )  # fmt: skip


async def driver_event(listen: Function, session: Session, listeners: int) -> tuple[None, Function]:
    """Open the driver's event node. Return two values: None, and a function that returns a listener.

    Transports between programs return a function that sends an event in place of None.  Here the driver
    sends the events.
    """
    session.device = await session.app.open(EVENTS, fcntl.O_RDWR)
    session.base = (await last_event(session)).number
    return None, lambda app, index: listen(session, app)


async def last_event(session: Session) -> ipc_demo.IpcDemoEvent:
    """Return the last event that the driver has sent."""
    record = await session.app.ioctl(session.device, ipc_demo.IPC_DEMO_LAST, bytes(common.EVENT))
    return ipc_demo.IpcDemoEvent.unpack(record)


async def locked(path: str, app: App) -> str:
    """Set the mode of a device node to 0600, and try to open the node as an unprivileged user."""
    mode = (await app.stat(path)).st_mode & 0o777
    await app.chmod(path, 0o600)
    result = await refused(app, "file mode", lambda app: app.open(path, fcntl.O_RDWR))
    await app.chmod(path, mode)
    return result


# -- generic netlink -----------------------------------------------------------------


async def netlink_socket(app: App, protocol: int = netlink.NETLINK_GENERIC, rcvbuf: int = 0) -> Any:
    """Return a bound netlink socket."""
    sock = await app.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    await sock.bind((0, 0))
    if rcvbuf:
        await sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf // 2)
    return sock


def event_numbers(data: bytes, header: int) -> tuple[Any, int]:
    """Return the serial numbers of the events in netlink messages, and the size of an incomplete record at
    the end. This size is always 0, because only a stream can end with an incomplete record (`parse_records`).

    `header` is the size of the family's header.
    """
    attributes = (
        dict(netlink.iterate_attributes(body, header)) for _, body in netlink.iterate_messages(data)
    )
    return [int.from_bytes(each[NUMBER], "little") for each in attributes], 0


def attribute_listener(app: App, sock: Any, header: int) -> Listener:
    """Return a listener for netlink messages. Its `old_read` acts like an old program: it uses the attribute
    with the event's number, and skips all other attributes.
    """
    parse = partial(event_numbers, header=header)

    async def old_read() -> bytes:
        return U64.pack(parse(await sock.recv(BUFSIZE))[0][0])

    return Listener(app, sock.recv, sock.fileno(), parse, BUFSIZE, old_read)


async def netlink_do(end: End, operation: str, **values: Any) -> Any:
    """Send a request and receive its reply, in two system calls."""
    family = end.client.family
    payload = family.encode(operation, "do", values)
    await end.sock.sendto(
        netlink.message(family.id, payload, flags=netlink.NLM_F_REQUEST, seq=next(end.sequence)), (0, 0)
    )
    return family.decode(operation, "do", bytes(netlink.reply(await end.sock.recv(BUFSIZE))))


async def netlink_question(end: End, question: bytes) -> bytes:
    """Ask a question by netlink.  A long question needs several attributes."""
    starts = range(0, len(question), MAX_ATTRIBUTE)
    parts = [question[start : start + MAX_ATTRIBUTE] for start in starts]
    return b"".join((await netlink_do(end, "ask", question=parts))["answer"])


async def netlink_listen(session: Session, app: App) -> Listener:
    """Join the multicast group of the family."""
    client = await app.genetlink(FAMILY)
    await client.join("events")
    sock = client.event_socket
    if session.rcvbuf:
        await sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, session.rcvbuf // 2)
    return attribute_listener(app, sock, GENL_HDRLEN)


async def netlink_frame(end: End, size: int) -> bytes:
    """Read a frame by a netlink dump."""
    await netlink_do(end, "take", size=size)
    return b"".join([part["data"] for part in await end.client.dump("read")])


async def send_netlink(address: tuple[int, int], app: App) -> str:
    """Send a message to a port or a group."""
    await (await netlink_socket(app)).sendto(bytes(common.EVENT), address)
    return YES


async def netlink_between(app: App) -> str:
    """Try to send to another program's port as an unprivileged user. Only NETLINK_USERSOCK permits this."""
    address = await (await netlink_socket(app)).getsockname()
    return str(await in_child(app, partial(send_netlink, address), common.UNPRIVILEGED))


async def netlink_forbidden(app: App) -> str:
    """Try to send to the group as an unprivileged user. Sending to the group requires CAP_NET_ADMIN."""
    group = (await app.genetlink(FAMILY)).family.group("events")
    return await refused(app, "capability", partial(send_netlink, (0, 1 << (group - 1))))


# -- ioctl -----------------------------------------------------------------------------


async def ioctl_question(end: End, question: bytes) -> Any:
    """Ask a question by one ioctl. The ioctl passes the addresses of the question and of the answer."""
    size, address = len(question), end.memory.address
    end.memory[:size] = question
    request = ipc_demo.IpcDemoAsk(address, address + common.MAX_QUESTION, size)
    await end.app.ioctl(end.question, ipc_demo.IPC_DEMO_ASK, request.pack())
    return end.memory[common.MAX_QUESTION : common.MAX_QUESTION + size]


async def ioctl_listen(session: Session, app: App) -> Listener:
    """Return a listener that polls the last event by ioctl."""
    fd = await app.open(EVENTS, fcntl.O_RDWR)

    async def last(size: int) -> Any:
        return (await app.ioctl(fd, ipc_demo.IPC_DEMO_LAST, bytes(common.EVENT)))[:size]

    old_read = partial(app.ioctl, fd, OLD_LAST, bytes(U64.size))
    return Polled(app, last, session=session, seen=session.base, old_read=old_read)


async def ioctl_between(app: App) -> str:
    """Try to reach another program by ioctl. This fails: the driver answers the question itself."""
    question = b"for another program"
    answer = await ioctl_question(await End.open(Session(app)), question)
    return YES if answer == question else "driver answers"


# -- read and write ----------------------------------------------------------------------


async def read_question(end: End, question: bytes) -> Any:
    """Ask a question: write it with write(2), then read the answer with read(2)."""
    await end.app.write(end.question, question)
    return await end.app.read(end.question, len(question))


async def read_listen(session: Session, app: App) -> Listener:
    """Return a listener that reads event records."""
    fd = await app.open(EVENTS, fcntl.O_RDWR)
    return Listener(app, partial(app.read, fd), fd)


async def read_between(app: App) -> str:
    """Try to reach another program: write a question to a device node, and let a child process open the node
    and read.
    """
    await app.write(await app.open(QUESTION, fcntl.O_RDWR), b"for another program")

    async def read(app: App) -> Any:
        return await app.read(await app.open(QUESTION, fcntl.O_RDWR), PAGE)

    got = await in_child(app, read)
    return YES if got else "other reads 0 B"


async def read_frame(end: End, size: int) -> Any:
    """Request a frame from the driver and read it."""
    await end.app.ioctl(end.frame, ipc_demo.IPC_DEMO_TAKE, size)
    return await end.app.read(end.frame, size)


# -- mapped memory -----------------------------------------------------------------------


async def mmap_question(end: End, question: bytes) -> Any:
    """Ask a question in shared memory: store it, notify the driver by ioctl, and load the answer."""
    size = len(question)
    if size > ipc_demo.ANSWER_OFFSET:
        raise common.Truncated(ipc_demo.ANSWER_OFFSET)
    end.shared[:size] = question
    await end.app.ioctl(end.question, ipc_demo.IPC_DEMO_RING, size)
    return end.shared[ipc_demo.ANSWER_OFFSET : ipc_demo.ANSWER_OFFSET + size]


def memory_listener(session: Session, app: App, memory: Any) -> Listener:
    """Return a listener that polls the last event in shared memory, without system calls.

    An old program does not read the second field, which follows the first.
    """

    async def last(size: int) -> Any:
        return memory[: min(size, common.EVENT)]

    return Polled(app, last, session=session, seen=session.base)


async def mmap_listen(session: Session, app: App) -> Listener:
    """Map the page that holds the last event, and return a listener that polls it."""
    page = await app.mmap(await app.open(EVENTS, fcntl.O_RDONLY), PAGE, prot=PROT_READ)
    return memory_listener(session, app, page)


async def mmap_frame(end: End, size: int) -> Any:
    """Request a frame from the driver. The driver produces the frame in memory that the program has
    mapped.
    """
    await end.app.ioctl(end.frame, ipc_demo.IPC_DEMO_TAKE, size)
    return end.frames[:size]


async def map_frame(flags: int, app: App) -> Any:
    """Open the node with `flags` and map the frame."""
    return await app.mmap(await app.open(FRAME, flags), PAGE)


async def mmap_between(app: App) -> str:
    """Write into the mapped frame, and let another program read the frame in its own mapping."""
    (await map_frame(fcntl.O_RDWR, app))[:4] = b"ping"

    async def read(app: App) -> Any:
        return (await map_frame(fcntl.O_RDWR, app))[:4]

    return YES if await in_child(app, read) == b"ping" else "not the same memory"


async def mmap_forbidden(app: App) -> str:
    """Open a file for reading only, then try to map it for writing."""
    return await refused(app, "file mode", partial(map_frame, fcntl.O_RDONLY))


# -- sysfs -------------------------------------------------------------------------------


async def sysfs_question(end: End, question: bytes) -> bytes:
    """Write a question to a sysfs attribute, then read the answer in hex digits."""
    written = await end.app.pwrite(end.sysfs, question, 0)
    if written < len(question):
        raise common.Truncated(written)
    text = await end.app.pread(end.sysfs, PAGE, 0)
    answer = bytes.fromhex(text[: len(text) // 2 * 2].decode())
    if len(answer) < len(question):
        raise common.Truncated(len(answer))
    return answer


async def sysfs_listen(session: Session, app: App) -> Listener:
    """Return a listener that polls a sysfs attribute. Its `old_read` acts like an old program: it expects one
    number, and raises ValueError if the attribute contains more.
    """
    fd = await app.open(SYSFS_LAST, fcntl.O_RDONLY)

    async def last(size: int) -> Any:
        return await app.pread(fd, PAGE, 0)

    async def old_read() -> bytes:
        return U64.pack(int(await last(PAGE)))

    def parse(text: bytes) -> tuple[common.Numbers, int]:
        return [int(text.split()[0])], 0

    return Polled(app, last, session=session, seen=session.base, old_read=old_read, parse=parse)


async def sysfs_between(app: App) -> str:
    """Write to an attribute, and let another program read the attribute. The other program reads the driver's
    answer.
    """
    await app.pwrite(await app.open(SYSFS_ANSWER, fcntl.O_RDWR), b"ping", 0)
    text = await in_child(app, lambda app: app.read_file(SYSFS_ANSWER))
    return YES if bytes.fromhex(text.decode()) == b"ping" else "driver answers"


async def sysfs_forbidden(app: App) -> str:
    """Try to open a read-only attribute for writing."""
    return await refused(app, "file mode", lambda app: app.open(SYSFS_LAST, fcntl.O_RDWR))


# -- eventfd and SIGIO ---------------------------------------------------------------------


async def eventfd_listen(session: Session, app: App) -> Listener:
    """Pass an eventfd to the driver. The driver adds 1 to the eventfd for each event. An eventfd carries no
    serial numbers, so the listener counts the events to number them.
    """
    device, fd = await app.open(EVENTS, fcntl.O_RDWR), await app.eventfd(0, 0)
    await app.ioctl(device, ipc_demo.IPC_DEMO_SET_EVENTFD, fd)
    numbers = count(session.base + 1)

    def parse(data: bytes) -> tuple[common.Numbers, int]:
        return [next(numbers) for _ in range(U64.unpack(data)[0])], 0

    old_read = partial(app.write, fd, bytes(common.EVENT))  # EINVAL: a write to an eventfd must be 8 bytes
    return Listener(app, partial(app.read, fd), fd, parse, common.EVENT, old_read)


async def eventfd_between(app: App) -> str:
    """Create an eventfd with a count, and read this count in a child process."""
    fd = await app.eventfd(7, 0)
    return YES if await in_child(app, lambda app: app.eventfd_read(fd)) == 7 else "not counted"


async def eventfd_forbidden(app: App) -> str:
    """Try to read an eventfd in a process that does not have its descriptor. An eventfd has no name to
    open.
    """
    fd = await app.eventfd(1)  # close-on-exec, so no child inherits it
    return await refused(app, "descriptor", lambda app: app.eventfd_read(fd))


async def sigio_listen(session: Session, app: App) -> Listener:
    """Enable SIGIO for events of the driver."""
    listener = await common.Signalled.handle(app, signal.SIGIO)
    fd = await app.open(EVENTS, fcntl.O_RDWR)
    await app.fcntl(fd, fcntl.F_SETOWN, await app.getpid())
    await app.fcntl(fd, fcntl.F_SETFL, fcntl.O_ASYNC)
    return listener


async def sigio_between(app: App) -> str:
    """Send SIGIO from a child process to its parent."""
    listener, pid = await common.Signalled.handle(app, signal.SIGIO), await app.getpid()
    await in_child(app, lambda app: app.kill(pid, signal.SIGIO))
    return YES if await listener.receive(0) else "nothing came"


async def signal_forbidden(app: App) -> str:
    """Try to send a signal to a process of root as an unprivileged user."""
    pid = await app.getpid()
    return await refused(app, "same user", lambda app: app.kill(pid, signal.SIGIO))


def to_driver(name: str, question: Any, listen: Function, frame: Any, *probes: Function) -> Transport:
    """Return a transport between a program and the driver."""
    return Transport(name, "driver", End.open, question, partial(driver_event, listen), frame, *probes)


DRIVER: Final = (
    to_driver("netlink", netlink_question, netlink_listen, netlink_frame, netlink_between, netlink_forbidden),
    to_driver("ioctl", ioctl_question, ioctl_listen, "no request", ioctl_between, partial(locked, QUESTION)),
    to_driver("read", read_question, read_listen, read_frame, read_between, partial(locked, EVENTS)),
    to_driver("mmap", mmap_question, mmap_listen, mmap_frame, mmap_between, mmap_forbidden),
    to_driver("sysfs", sysfs_question, sysfs_listen, "a page", sysfs_between, sysfs_forbidden),
    to_driver("eventfd", NO_BYTES, eventfd_listen, NO_BYTES, eventfd_between, eventfd_forbidden),
    to_driver("sigio", NO_BYTES, sigio_listen, NO_BYTES, sigio_between, signal_forbidden),
)
