"""include/net/genetlink.h: a family of commands, as its specification declares it.

    family = genl_register_family(
        this,
        do={"set-format": camera.set_format},
        dump={"list": camera.list},
    )
    genlmsg_multicast(family, "frame-ready", {"sequence": 7})
    genl_unregister_family(family)

The specification is the YAML file beside the module.  What a program sends is checked against it
before a handler is called; a handler gets and gives attributes by name, as the file spells them:

    def set_format(info: GenlInfo) -> Reply | None:       # plain or async; a reply is sent back
        if info.attributes["width"] > 1920:
            info.fail(EINVAL, "too wide", attribute="width")
        return {"width": 1920}

    def list(info: GenlInfo) -> Iterable[Reply]:          # one message each, as many as fit at a time
        for frame in frames:
            yield {"sequence": frame.sequence}

A dump of something that changes says in which state it is, in `info.generation`; one of something long
looks at `info.room` and yields as much as fits.

An enum is its name, flags are a tuple of names, a nest is a dict, what may come several times a list,
binary is bytes, a flag that is there True.

Several requests may be under way at a time, if handlers sleep: what they share is theirs to lock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Hashable, Iterable, Iterator, Mapping
from typing import Any, NoReturn

import attrs

from simkernel.engine import SimulationError
from simkernel.kernel.module.module import LoadedModule
from simkernel.kernel.module.resources import Resource
from simkernel.kernel.netlink.genetlink.declare import declare
from simkernel.kernel.netlink.genetlink.family import Dumper, Family
from simkernel.kernel.netlink.genetlink.info import Info
from simkernel.kernel.netlink.writer import MessageWriter, NoRoom
from simkernel.kernel.task.credentials import Credentials
from simkernel.uapi.errno import EMSGSIZE, os_error
from simkernel.uapi.genetlink import GENL_HDRLEN
from simkernel.uapi.netlink import NLM_F_MULTI, NLMSG_ALIGNTO, NLMSG_HDRLEN
from simkernel.uapi.ynl import Spec
from simkernel.uapi.ynl.codec import codec
from simkernel.uapi.ynl.errors import choose
from simkernel.uapi.ynl.model import ModeName

__all__ = [
    "DoIt",
    "DumpIt",
    "GenlFamily",
    "GenlInfo",
    "Reply",
    "genl_has_listeners",
    "genl_register_family",
    "genl_unregister_family",
    "genlmsg_multicast",
]

Reply = Mapping[str, Any]
"""The attributes of a message, by name."""
DoIt = Callable[["GenlInfo"], Reply | Awaitable[Reply | None] | None]
DumpIt = Callable[["GenlInfo"], Iterable[Reply]]

_SHORTEST = NLMSG_HDRLEN + GENL_HDRLEN
"""Bytes of a message without attributes."""


class GenlInfo:
    """A request, as its handler sees it.

    `attributes` are by name.  `portid` is who asks, `credentials` what he may do.  `generation`, in a dump,
    is the state of what is dumped (`cb->seq`): if it changes between two messages, whoever reads them
    is told by NLM_F_DUMP_INTR.
    """

    __slots__ = ("_info", "_mode", "_room", "_spec", "attributes", "generation")

    def __init__(self, spec: Spec, mode: ModeName, info: Info) -> None:
        self._spec = spec
        self._mode: ModeName = mode
        self._info = info
        request = info.request
        payload = memoryview(request.data)[info.attributes_start : request.end]
        # Without a policy nothing was checked, and nothing is looked at.
        checked = info.operation.policy is not None
        self.attributes: dict[str, Any] = (
            codec(spec, info.operation.name, mode, "request").decode(payload) if checked else {}
        )
        self.generation = 0
        self._room = 0

    @property
    def portid(self) -> int:
        """Port id of the socket that it came from."""
        return self._info.portid

    @property
    def sender(self) -> Hashable:
        """The socket that it came from; what a family's `on_release` is told when that is closed."""
        return self._info.request.sender

    @property
    def room(self) -> int:
        """Bytes of attributes that the next message of a dump can have in the present datagram.

        A handler that yields that much is asked again with a new datagram.
        """
        return (self._room & -NLMSG_ALIGNTO) - _SHORTEST

    @property
    def credentials(self) -> Credentials:
        """User, group and capabilities of the program that asks."""
        return self._info.credentials

    def capable(self, capability: int) -> bool:
        """Whether the program that asks, and who opened its socket, have a capability."""
        return self._info.capable(capability)

    def fail(
        self, error: int, text: str | None = None, *, attribute: str | None = None, missing: str | None = None
    ) -> NoReturn:
        """Refuse with an errno, and say why (extended ACK): a text, and the attribute that is at fault
        (`attribute`) or should have been there (`missing`).
        """
        self._info.fail(
            error,
            text,
            attribute=None if attribute is None else self._number(attribute),
            missing=None if missing is None else self._number(missing),
        )

    def reply(self, values: Reply) -> None:
        """Send one message back; for handlers that answer with several.  EAGAIN if there is no room."""
        self._info.reply(self._reply_number, self.encode(values))

    def encode(self, values: Reply) -> bytes:
        """The bytes of a reply's attributes."""
        return codec(self._spec, self._info.operation.name, self._mode, "reply").encode(values)

    def message(self, attributes: bytes, flags: int) -> bytes:
        """A whole reply."""
        return self._info.message(self._reply_number, attributes, flags=flags)

    @property
    def _reply_number(self) -> int:
        number = self._spec.operation(self._info.operation.name).reply_number
        assert number is not None
        return number

    def _number(self, attribute: str) -> int:
        declared = self._spec.operation(self._info.operation.name)
        return self._spec.attribute_sets[declared.attribute_set].attributes[attribute].number


@attrs.frozen(eq=False)
class GenlFamily:
    """A family as its module holds it."""

    module: LoadedModule
    spec: Spec
    family: Family
    resource: Resource


def genl_register_family(
    this: LoadedModule,
    *,
    do: Mapping[str, DoIt] | None = None,
    dump: Mapping[str, DumpIt] | None = None,
    on_release: Callable[[Hashable], None] | None = None,
    spec: str = "",
) -> GenlFamily:
    """Let the family be there, with a handler for each do and each dump that its specification has.

    `on_release` is called with each socket that is closed, whether or not it has ever asked for
    anything (see `GenlInfo.sender`).  `spec` is the name of the file, without .yaml; by default the
    module's.  EEXIST if there is a family of that name.
    """
    declared = this.spec(spec)
    handlers = do or {}
    dumps = dump or {}
    calls = declared.operations.values()
    _check(declared, "do", handlers, [call.name for call in calls if call.do])
    _check(declared, "dump", dumps, [call.name for call in calls if call.dump])
    family = declare(
        declared,
        {name: _Do(declared, handler) for name, handler in handlers.items()},
        {name: _Dump(declared, dumped).dumper for name, dumped in dumps.items()},
        owner=this,
        parallel=True,
    )
    if on_release is not None:
        family.on_release = _contained(this, f"{family.name} on_release", on_release)
    genetlink = this.kernel.genetlink
    genetlink.register(family)
    resource = this.kernel.resources.add(
        this, "generic netlink family", family.name, lambda: genetlink.unregister(family)
    )
    return GenlFamily(this, declared, family, resource)


def genl_unregister_family(family: GenlFamily) -> None:
    """Take the family away; whoever is in its groups is in them no more."""
    kernel = family.module.kernel
    kernel.resources.remove(family.resource)
    kernel.genetlink.unregister(family.family)


def genlmsg_multicast(family: GenlFamily, event: str, values: Reply, *, exclude: int = 0) -> bool:
    """Send an event to the group that the specification names for it; whether anybody got it.

    The port id `exclude` is left out.  Callable from an interrupt handler.  Who has no room loses it,
    and is told by ENOBUFS.
    """
    declared = family.spec.operation(event)
    number = declared.reply_number
    assert number is not None
    attributes = codec(family.spec, event, "event", "reply").encode(values)
    try:
        family.module.kernel.genetlink.multicast(
            family.family, _group(family, declared.group), number, attributes, exclude=exclude
        )
    except OSError:
        return False
    return True


def genl_has_listeners(family: GenlFamily, group: str) -> bool:
    """Whether anybody is in a group of the family; if not, its event need not be made."""
    return family.module.kernel.genetlink.has_listeners(family.family, _group(family, group))


def _contained(
    module: LoadedModule, where: str, function: Callable[[Hashable], None]
) -> Callable[[Hashable], None]:
    """`function`, whose oops is not the trouble of who closes a socket."""

    def call(sender: Hashable) -> None:
        with module.kernel.oopses.contain(module, where):
            function(sender)

    return call


def _group(family: GenlFamily, name: str) -> int:
    for index, group in enumerate(family.spec.groups):
        if group.name == name:
            return index
    raise SimulationError(f"{family.spec.name} has no multicast group {name!r}")


def _check(spec: Spec, mode: str, handlers: Collection[str], operations: list[str]) -> None:
    for name in handlers:
        if name not in operations:
            raise SimulationError(f"{spec.name} has no {mode} {name!r} to handle: {choose(name, operations)}")
    for name in operations:
        if name not in handlers:
            raise SimulationError(f"{spec.name} declares a {mode} {name!r} that nothing handles")


@attrs.frozen
class _Do:
    """A handler of the driver's as the kernel wants a do."""

    spec: Spec
    handler: DoIt

    def __call__(self, info: Info) -> Awaitable[None] | None:
        mine = GenlInfo(self.spec, "do", info)
        result = self.handler(mine)
        if isinstance(result, Awaitable):
            return self._sleep(mine, result)
        if result is not None:
            mine.reply(result)
        return None

    async def _sleep(self, mine: GenlInfo, pending: Awaitable[Reply | None]) -> None:
        result = await pending
        if result is not None:
            mine.reply(result)


class _Progress:
    """How far a dump has come: what is left of it, and a message that found no room."""

    def __init__(self, info: GenlInfo, replies: Iterator[Reply]) -> None:
        self.info = info
        self.replies = replies
        self.waiting: bytes | None = None

    def next_message(self, room: int) -> bytes | None:
        """The next message, whole; None at the end."""
        if self.waiting is None:
            self.info._room = room
            values = next(self.replies, None)
            if values is None:
                return None
            self.waiting = self.info.message(self.info.encode(values), NLM_F_MULTI)
        return self.waiting


class _Dump:
    """A handler of the driver's as the kernel wants a dump: in steps."""

    def __init__(self, spec: Spec, dump: DumpIt) -> None:
        self._spec = spec
        self._dump = dump

    @property
    def dumper(self) -> Dumper:
        """The steps."""
        return Dumper(self._step, self._begin, self._done)

    def _begin(self, info: Info) -> None:
        mine = GenlInfo(self._spec, "dump", info)
        info.state = _Progress(mine, iter(self._dump(mine)))

    def _step(self, writer: MessageWriter, info: Info) -> bool:
        progress: _Progress = info.state
        callback = info.callback
        assert callback is not None
        while writer.room >= _SHORTEST:
            message = progress.next_message(writer.room)
            callback.generation = progress.info.generation
            if message is None:
                return False
            place = len(writer.data)
            try:
                writer.append(message)
            except NoRoom:
                if not writer.data:
                    raise os_error(EMSGSIZE) from None
                return True
            progress.waiting = None
            callback.check_consistent(writer, place)
        return True

    def _done(self, info: Info) -> None:
        close = getattr(info.state.replies, "close", None)
        if close is not None:
            close()
