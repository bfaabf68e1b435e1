"""team: a module with a generic netlink family. Its handlers refuse all operations with EOPNOTSUPP."""

from __future__ import annotations

from simkernel.driverapi.genetlink import GenlFamily, GenlInfo, genl_register_family, genl_unregister_family
from simkernel.driverapi.module import Module, ThisModule
from simkernel.uapi.errno import EOPNOTSUPP, os_error

MODULE = Module(license="GPL")


def refuse(info: GenlInfo) -> None:
    """Refuse a request with EOPNOTSUPP."""
    raise os_error(EOPNOTSUPP)


def init(this: ThisModule) -> GenlFamily:
    """Register the generic netlink family."""
    operations = ("noop", "options-set", "options-get", "port-list-get")
    return genl_register_family(this, do=dict.fromkeys(operations, refuse))


def exit(this: ThisModule, family: GenlFamily) -> None:
    """Unregister the generic netlink family."""
    genl_unregister_family(family)
