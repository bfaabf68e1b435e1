"""include/net/genetlink.h: a generic netlink family, as its YNL specification declares it.

    family = genl_register_family(
        this,
        do={"set-format": camera.set_format},
        dump={"list": camera.list},
    )
    genlmsg_multicast(family, "frame-ready", {"sequence": 7})
    genl_unregister_family(family)

The specification is the YAML file beside the module. A request is validated against it before its handler
is called. Handlers use dictionaries of attributes, with the names of the specification:

    def set_format(info: GenlInfo) -> Reply | None:       # plain or async; a reply is sent to the requester
        if info.attributes["width"] > 1920:
            info.fail(EINVAL, "too wide", attribute="width")
        return {"width": 1920}

    def list(info: GenlInfo) -> Iterable[Reply]:          # one message each, in as many datagrams as needed
        for frame in frames:
            yield {"sequence": frame.sequence}

A dump of data that can change sets `info.generation`. A dump of long data reads `info.tailroom` and yields as
much as fits. An enum value is its name, and flags are a tuple of names. A nest is a dict, a repeated
attribute is a list, binary data is bytes, and a flag attribute is True.

If handlers sleep, several requests can run concurrently. Handlers must lock the data that they share.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping

import attrs

from simkernel.driverapi.context import kernel_of, module_of
from simkernel.driverapi.genl_handlers import Do, Dump, contained
from simkernel.driverapi.genl_handlers import DoIt as DoIt
from simkernel.driverapi.genl_handlers import DumpIt as DumpIt
from simkernel.driverapi.genl_info import GenlInfo as GenlInfo
from simkernel.driverapi.genl_info import Reply as Reply
from simkernel.driverapi.genl_info import encoded
from simkernel.engine import SimulationError
from simkernel.kernel.module.module import ThisModule
from simkernel.kernel.module.resources import Resource
from simkernel.kernel.netlink.genetlink.declare import declare
from simkernel.kernel.netlink.genetlink.family import Family
from simkernel.ynl import Spec
from simkernel.ynl.errors import choose


@attrs.frozen(eq=False)
class GenlFamily:
    """A registered generic netlink family. The module that registered the family passes it to the other
    functions of this file.
    """

    this: ThisModule
    spec: Spec
    family: Family
    resource: Resource


def genl_register_family(
    this: ThisModule,
    *,
    do: Mapping[str, DoIt] | None = None,
    dump: Mapping[str, DumpIt] | None = None,
    on_release: Callable[[Hashable], None] | None = None,
    spec: str = "",
) -> GenlFamily:
    """Register a family. Every `do` and every `dump` operation in its specification must have a handler.

    `on_release` is called with each generic netlink socket that is closed, even if it never sent a request
    (see `GenlInfo.sender`). `spec` is the name of the specification's file without .yaml; the default is
    the module's name. Raise EEXIST if a family with its name exists.
    """
    kernel, module = kernel_of(this), module_of(this)
    declared = kernel.modules.spec(module, spec or this.name)
    handlers = do or {}
    dumps = dump or {}
    calls = declared.operations.values()
    _check(declared, "do", handlers, [call.name for call in calls if call.do])
    _check(declared, "dump", dumps, [call.name for call in calls if call.dump])
    family = declare(
        declared,
        {name: Do(declared, handler) for name, handler in handlers.items()},
        {name: Dump(declared, dumped).dumper for name, dumped in dumps.items()},
        owner=module,
        parallel=True,
    )
    if on_release is not None:
        family.on_release = contained(this, f"{family.name} on_release", on_release)
    kernel.resources.allocate(module, "generic netlink family")
    genetlink = kernel.genetlink
    genetlink.register(family)
    resource = kernel.resources.add(
        module, "generic netlink family", family.name, lambda: genetlink.unregister(family)
    )
    return GenlFamily(this, declared, family, resource)


def genl_unregister_family(family: GenlFamily) -> None:
    """Unregister a family, and remove all members from its multicast groups."""
    kernel = kernel_of(family.this)
    kernel.resources.remove(family.resource)
    kernel.genetlink.unregister(family.family)


def genlmsg_multicast(family: GenlFamily, event: str, values: Reply, *, exclude: int = 0) -> bool:
    """Send `event` to the multicast group that the specification declares for it. Return True if a member
    received it.

    The socket with port id `exclude` does not receive it. Callable from an interrupt handler. A member
    with a full receive queue loses the event and gets ENOBUFS.
    """
    attributes = encoded(family.spec, event, "event", values)
    declared = family.spec.operation(event)
    number = declared.reply_number
    assert number is not None
    try:
        kernel_of(family.this).genetlink.multicast(
            family.family, _group(family, declared.group), number, attributes, exclude=exclude
        )
    except OSError:
        return False
    return True


def genl_has_listeners(family: GenlFamily, group: str) -> bool:
    """Return True if the family's multicast group `group` has members. If it has none, the caller need not
    build an event for it.
    """
    return kernel_of(family.this).genetlink.has_listeners(family.family, _group(family, group))


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
