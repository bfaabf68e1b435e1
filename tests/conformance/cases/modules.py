"""Real modules in User-mode Linux: loading, unloading, references and taint.

simkernel's counterparts are in `tests/conformance/modules`. The modules are built outside the kernel's
tree. A variant, such as `garp_closed`, is a copy with another name or another licence.
"""

from __future__ import annotations

from tests.conformance.case import case, netlink
from tests.conformance.log import Log
from tests.conformance.world import World

UML = "uml-6.12"
MODULES = ("modules",)
O_NONBLOCK, O_TRUNC = 0o4000, 0o1000
BUILT_IN = ("ipv6", "crc_ccitt")
"""Modules that User-mode Linux can load, but that other kernels have built in."""


def shown(world: World) -> list[str]:
    """Return the lines of /proc/modules without sizes and addresses. Omit the modules that other kernels have
    built in.
    """
    lines = []
    for line in world.read_file("/proc/modules").decode().splitlines():
        name, _, references, users, state, _, *flags = line.split(" ")
        if name not in BUILT_IN:
            lines.append(" ".join((name, references, users, state, *flags)))
    return lines


def attributes(world: World, log: Log, name: str) -> None:
    """Record the files of a module in /sys/module/NAME."""
    for file in ("initstate", "refcnt", "taint", "uevent"):
        log.call(f"{name}/{file}", world.read_file, f"/sys/module/{name}/{file}")
    log.call(f"{name}/holders", lambda: sorted(world.listdir(f"/sys/module/{name}/holders")))


@case(privileged=True, marks=MODULES, oracle=UML)
def load_and_unload(world: World, log: Log) -> None:
    """A loaded module appears in /proc/modules and /sys/module, and disappears after delete_module(2)."""
    log("before", shown(world))
    log.call("insmod", world.insmod, "llc")
    log("loaded", shown(world))
    attributes(world, log, "llc")
    log.call("rmmod", world.rmmod, "llc")
    log("unloaded", shown(world))
    log.call("state", world.read_file, "/sys/module/llc/initstate")


@case(privileged=True, marks=MODULES, oracle=UML)
def twice(world: World, log: Log) -> None:
    """Loading a loaded module fails with EEXIST. An unloaded module can be loaded again."""
    for _ in range(2):
        log.call("insmod", world.insmod, "llc")
        log.call("again", world.insmod, "llc")
        log.call("rmmod", world.rmmod, "llc")
        log.call("again", world.rmmod, "llc")


@case(privileged=True, marks=MODULES, oracle=UML)
def names(world: World, log: Log) -> None:
    """Unloading a module that does not exist fails with ENOENT, for any name."""
    for name in ("nosuchmodule", "x" * 55, "x" * 56, "x" * 200, ""):
        log.call(f"rmmod {name[:12]} {len(name)}", world.rmmod, name)
    log.call("insmod", world.insmod, "nosuchmodule")
    log.call("load", world.insmod, "842_compress")
    log.call("hyphen", world.rmmod, "842-compress")
    log.call("underscore", world.rmmod, "842_compress")


@case(privileged=False, marks=MODULES, oracle=UML)
def without_privilege(world: World, log: Log) -> None:
    """finit_module(2) and delete_module(2) check CAP_SYS_MODULE before anything else."""
    log.call("insmod", world.insmod, "llc")
    log.call("parameters", world.insmod, "tcp_bic", "beta=x")
    for name in ("llc", "nosuchmodule", ""):
        log.call(f"rmmod {name}", world.rmmod, name)


@case(privileged=True, marks=MODULES, oracle=UML)
def dependencies(world: World, log: Log) -> None:
    """Loading a module fails with ENOENT if the kernel does not have a symbol that the module imports. A
    loaded module holds one reference to each module that it imports from.
    """
    log.call("garp alone", world.insmod, "garp")
    log.call("stp alone", world.insmod, "stp")
    log.call("llc", world.insmod, "llc")
    log.call("garp without stp", world.insmod, "garp")
    log("loaded", shown(world))
    for name in ("stp", "garp", "psnap"):
        log.call(name, world.insmod, name)
        log("loaded", shown(world))
    for name in ("llc", "stp", "garp", "psnap"):
        attributes(world, log, name)


@case(privileged=True, marks=MODULES, oracle=UML)
def in_use(world: World, log: Log) -> None:
    """Unloading a module fails with EWOULDBLOCK while another loaded module imports from it."""
    for name in ("llc", "stp", "psnap"):
        world.insmod(name)
    for name in ("llc", "psnap", "llc", "stp", "llc"):
        log.call(f"rmmod {name}", world.rmmod, name)
        log("loaded", shown(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def flags_of_removal(world: World, log: Log) -> None:
    """Results of delete_module(2) with many flags, for a module in use, an unused module and a name without a
    module.
    """
    world.insmod("llc")
    world.insmod("stp")
    for flags in (0, O_NONBLOCK, O_TRUNC, O_NONBLOCK | O_TRUNC, 1, 2**31 - 1):
        log.call(f"in use {flags:#o}", world.rmmod, "llc", flags)
        log.call(f"none {flags:#o}", world.rmmod, "nosuchmodule", flags)
    for flags in (0, O_NONBLOCK, O_TRUNC, O_NONBLOCK | O_TRUNC, 1, 2**31 - 1):
        log.call(f"free {flags:#o}", world.rmmod, "stp", flags)
        log.call("insmod", world.insmod, "stp")


@case(privileged=True, marks=MODULES, oracle=UML)
def symbols_exported_twice(world: World, log: Log) -> None:
    """Loading a module fails with ENOEXEC if it exports a symbol that a loaded module already exports."""
    world.insmod("llc")
    log.call("copy", world.insmod, "llc_copy")
    log("loaded", shown(world))
    world.rmmod("llc")
    log.call("copy alone", world.insmod, "llc_copy")
    log.call("stp", world.insmod, "stp")
    log("loaded", shown(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def protocol(world: World, log: Log) -> None:
    """Each socket of a netlink protocol holds a reference to the protocol's module."""
    world.insmod("nfnetlink")
    log("loaded", shown(world))
    first, second = netlink(world, 12), netlink(world, 12)
    log("two sockets", shown(world))
    log.call("rmmod", world.rmmod, "nfnetlink")
    first.close()
    log.call("rmmod", world.rmmod, "nfnetlink")
    second.close()
    log("closed", shown(world))
    log.call("rmmod", world.rmmod, "nfnetlink")
    log("unloaded", shown(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def loaded_by_a_socket(world: World, log: Log) -> None:
    """If socket(2) requests a netlink protocol that is not registered, the kernel runs modprobe with the
    alias of the protocol's module.
    """
    log("before", shown(world))
    with_module = netlink(world, 12)
    log("socket", shown(world))
    with_module.close()
    log("closed", shown(world))
    log.call("insmod", world.insmod, "nfnetlink")


@case(privileged=True, marks=MODULES, oracle=UML)
def without_exit(world: World, log: Log) -> None:
    """A module with an init function but no exit function is permanent. Unloading it fails with EBUSY."""
    log.call("insmod", world.insmod, "vrf")
    log("loaded", shown(world))
    log.call("rmmod", world.rmmod, "vrf")
    log.call("rmmod, forced", world.rmmod, "vrf", O_TRUNC)
    log("loaded", shown(world))


# -- taint --------------------------------------------------------------------------


def kernel_taint(world: World, bit: int) -> bool:
    return bool(int(world.read_file("/proc/sys/kernel/tainted")) >> bit & 1)


@case(privileged=True, marks=MODULES, oracle=UML)
def taint(world: World, log: Log) -> None:
    """A module from outside the tree taints the kernel with O, a proprietary module with P. Taint is
    permanent.
    """
    for name in ("slhc_closed", "llc", "tunnel4_closed"):
        log.call(name, world.insmod, name)
    log("loaded", shown(world))
    for name in ("slhc_closed", "llc", "tunnel4_closed"):
        log.call(f"{name}/taint", world.read_file, f"/sys/module/{name}/taint")
        world.rmmod(name)
    log("kernel", [kernel_taint(world, bit) for bit in (0, 12)])


@case(privileged=True, marks=MODULES, oracle=UML)
def flags_of_loading(world: World, log: Log) -> None:
    """Loading a module with MODULE_INIT_IGNORE_VERMAGIC taints the kernel with F. Unknown flags of
    finit_module(2) fail with EINVAL.
    """
    for flags in (1, 2, 3, 8, 0x10, -(2**31)):
        log.call(f"llc {flags:#x}", world.insmod, "llc", "", flags)
        log("loaded", shown(world))
        log.call("taint", world.read_file, "/sys/module/llc/taint")
        log.call("rmmod", world.rmmod, "llc")
    log("kernel", kernel_taint(world, 1))
    log.call("proprietary", world.insmod, "slhc_closed", "", 2)
    log("loaded", shown(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def inherited_taint(world: World, log: Log) -> None:
    """A GPL module that imports from a proprietary module gets the taint P. After that, it cannot import
    GPL-only symbols.
    """
    for name in ("tunnel4_closed", "ip_tunnel"):
        world.insmod(name)
    log.call("xfrm4_tunnel", world.insmod, "xfrm4_tunnel")
    log.call("ipip", world.insmod, "ipip")
    log("loaded", shown(world))
    attributes(world, log, "xfrm4_tunnel")


@case(privileged=True, marks=MODULES, oracle=UML)
def symbols_for_gpl_only(world: World, log: Log) -> None:
    """Loading a proprietary module fails with ENOENT if it imports a GPL-only symbol."""
    world.insmod("llc")
    world.insmod("stp")
    log.call("garp_closed", world.insmod, "garp_closed")
    log("loaded", shown(world))
    log.call("garp", world.insmod, "garp")
    log("loaded", shown(world))


@case(privileged=True, marks=MODULES, oracle=UML)
def of_the_tree(world: World, log: Log) -> None:
    """A module from the kernel's source tree does not taint the kernel."""
    log.call("dummy", world.insmod, "dummy", "numdummies=0")
    log("loaded", shown(world))
    attributes(world, log, "dummy")
    log.call("parameters", world.listdir, "/sys/module/dummy/parameters")
