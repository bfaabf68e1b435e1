"""team: a generic netlink family, whose operations are refused here."""

from __future__ import annotations

from simkernel.driverapi.genetlink import GenlFamily, GenlInfo, genl_register_family, genl_unregister_family
from simkernel.driverapi.module import Module, ThisModule
from simkernel.uapi.errno import EOPNOTSUPP, os_error

MODULE = Module(license="GPL")


def refuse(info: GenlInfo) -> None:
    """Answer a request."""
    raise os_error(EOPNOTSUPP)


def init(this: ThisModule) -> GenlFamily:
    """Register the family."""
    operations = ("noop", "options-set", "options-get", "port-list-get")
    return genl_register_family(this, do=dict.fromkeys(operations, refuse))


def exit(this: ThisModule, family: GenlFamily) -> None:
    """Unregister it."""
    genl_unregister_family(family)
