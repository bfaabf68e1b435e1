"""Lists the resources that are held in a kernel, such as processes, open files and sockets, and compares two
such lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Final

from simkernel.hardware.bus import Device
from simkernel.kernel.kernel import Kernel
from simkernel.kernel.mm.address_space import AddressSpace
from simkernel.kernel.sched.wait import Sleeping
from simkernel.kernel.unix.socket import SOCKETS as UNIX_SOCKETS
from simkernel.kernel.vfs.file import OpenFile
from simkernel.uapi.socket import AF_NETLINK, AF_UNIX

Holdings = Mapping[Hashable, tuple[str, int]]
"""Maps each held object to a description and an amount, for example 1 for a process, or a number of bytes for
DMA memory. If a description starts with "# ", the function `left` shows all objects with this description as
one total.
"""

SOCKETS: Final = {AF_NETLINK: "# netlink sockets", AF_UNIX: "# unix sockets"}


def holdings(kernel: Kernel) -> Holdings:
    """Return all resources that are held in the kernel. These are left out: kernel threads, the init process,
    daemons and their resources, and references to a module that an oops has pinned.
    """
    return {key: (text, amount) for key, text, amount in _held(kernel)}


def left(now: Holdings, before: Holdings) -> list[str]:
    """Compare two results of `holdings`, the earlier one (`before`) and the later one (`now`). Return one
    text for each resource that was added after the earlier one.

    Resources whose descriptions are equal and start with "# " share one text with the total of the added
    amounts.
    """
    amounts: Counter[str] = Counter()
    for key, (text, amount) in now.items():
        amounts[text] += max(0, amount - before.get(key, ("", 0))[1])
    words: list[str] = []
    for text, amount in amounts.items():
        words += [f"{text[2:]}: {amount}"] * bool(amount) if text[0] == "#" else [text] * amount
    return words


def _held(kernel: Kernel) -> Iterator[tuple[Hashable, str, int]]:
    processes, modules = kernel.processes, kernel.modules
    for task in processes:
        if not (task.kthread or task in processes.daemons or task in (processes.init, processes.kthreadd)):
            yield task, f"process {task.track} ({task.state.value})", 1
    daemons = [task for task in processes if task in processes.daemons and task.alive]
    files = {file for task in daemons for _, file in task.files.items()}
    areas = {area for task in daemons if isinstance(task.mm, AddressSpace) for area in task.mm.areas}
    sockets = {file.socket for file in files}
    families = Counter(file.socket.family for file in kernel.open_files if file.socket is not None)
    unix = sum(len(UNIX_SOCKETS.of(net)) for net in kernel.namespaces)
    yield AF_NETLINK, SOCKETS[AF_NETLINK], kernel.netlink.statistics.sockets - families[AF_NETLINK]
    yield AF_UNIX, SOCKETS[AF_UNIX], unix - families[AF_UNIX]
    for file in kernel.open_files:
        if file not in files:
            yield file, f"open file {_name(file)}" if file.socket is None else SOCKETS[file.socket.family], 1
    for entry in kernel.netlink.entries:
        members = dict.fromkeys(sock for group in entry.members.values() for sock in group)
        text = f"# members of groups of netlink protocol {entry.number}"
        yield entry, text, entry.subscribers - len(members)
        for sock in members:
            if sock not in sockets:
                yield (entry, sock), text, 1
    for area in kernel.mappings:
        if area not in areas:
            of = f" of {_name(area.file)}" if isinstance(area.file, OpenFile) else ""
            yield area, f"mapping of {area.length} bytes{of}", 1
    for timer in kernel.engine.timers():
        owner = getattr(timer.function, "__self__", None)
        if isinstance(owner, Sleeping) and not getattr(owner.sleeper, "alive", False):
            yield timer, "# timeouts of calls that have ended", 1
        elif isinstance(owner, Device) and not owner.plugged:
            yield timer, f"# timers of device {owner.name}, which is unplugged", 1
    yield kernel.bus, "# bytes of DMA memory", kernel.bus.memory.allotted
    for module in modules:
        references = module.references - len(module.users)
        if not module.pinned:
            yield module, f"# references to module {module.name}", references
            yield (module, "put"), f"# references to module {module.name} put but never taken", -references
    yield modules, "# registrations of modules that were unloaded", modules.leaks


def _name(file: OpenFile) -> str:
    return file.object.description if file.path is None else file.path.path
