"""Creation of a family from its YNL specification, as Linux's tools/net/ynl/ynl-gen-c.py does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from simkernel.kernel.loader.path import read_specification
from simkernel.kernel.netlink.genetlink import FAMILIES
from simkernel.kernel.netlink.genetlink.family import (
    DONT_VALIDATE_DUMP,
    DONT_VALIDATE_DUMP_STRICT,
    DONT_VALIDATE_STRICT,
    Command,
    DoIt,
    Dumper,
    Family,
    Group,
    Operation,
)
from simkernel.kernel.netlink.owner import Owner
from simkernel.uapi import genetlink as genl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.ynl import Operation as SpecOperation
from simkernel.ynl import Spec
from simkernel.ynl.policy import REJECT_ALL, PolicyTable
from simkernel.ynl.tables import family_policies

RESV_START_OP: Final = "resv-start-op"
"""Key in the file NAME.simkernel.yaml of the family NAME. The value of the key is a command number. The
kernel validates the headers of a request only if the request's command number is at least this value. If the
key is missing, the kernel validates the headers of all requests.
"""

PERMISSIONS: Final = {"admin-perm": genl.GENL_ADMIN_PERM, "uns-admin-perm": genl.GENL_UNS_ADMIN_PERM}
VALIDATE_DO: Final = {"strict": DONT_VALIDATE_STRICT}
VALIDATE_DUMP: Final = {"dump": DONT_VALIDATE_DUMP, "dump-strict": DONT_VALIDATE_DUMP_STRICT}
"""VALIDATE_DO and VALIDATE_DUMP map words of the list `dont-validate` in a YNL specification to
DONT_VALIDATE_* flags. VALIDATE_DO contains the flags of do operations, VALIDATE_DUMP those of dump
operations.
"""


@cache
def own_spec(name: str) -> Spec:
    """Return the YNL specification of a family that is built into the kernel, such as nlctrl."""
    return read_specification(FAMILIES / f"{name}.yaml")


def declare(
    spec: Spec,
    do: Mapping[str, DoIt],
    dump: Mapping[str, Dumper],
    *,
    owner: Owner | None = None,
    parallel: bool = False,
) -> Family:
    """Create the family that the YNL specification `spec` declares. The parameters `do` and `dump` map names
    of operations to their handlers. Operations without a handler are omitted from the family.

    Raise SpecError if the specification is invalid.
    """
    policies = family_policies(spec)
    split = spec.kernel_policy == "split"
    resv_start_op = spec.extras.get(RESV_START_OP, 0)
    assert isinstance(resv_start_op, int)
    commands = []
    for name, tables in policies.operations.items():
        operation = spec.operation(name)
        number = operation.request_number
        if number is None or not (name in do or name in dump):
            continue
        # Without a policy, split operations and commands whose number is less than resv_start_op ignore all
        # attributes. Without a policy, other operations reject all attributes.
        fallback = None if split or number < resv_start_op else REJECT_ALL
        commands.append(
            Command(
                number,
                _do(operation, number, do[name], tables.do or fallback) if name in do else None,
                _dump(operation, number, dump[name], tables.dump or fallback) if name in dump else None,
            )
        )
    return Family(
        spec.name,
        tuple(sorted(commands, key=lambda command: command.number)),
        tuple(Group(each.name, _capabilities(each.flags)) for each in spec.groups),
        version=spec.version,
        maxattr=policies.maxattr,
        resv_start_op=resv_start_op,
        parallel=parallel,
        split=split,
        owner=owner,
    )


def _do(operation: SpecOperation, number: int, handler: DoIt, policy: PolicyTable | None) -> Operation:
    flags = genl.GENL_CMD_CAP_DO | _mask(PERMISSIONS, operation.flags)
    validate = _mask(VALIDATE_DO, operation.dont_validate)
    return Operation(number, operation.name, flags, policy, do=handler, validate=validate)


def _dump(operation: SpecOperation, number: int, dumper: Dumper, policy: PolicyTable | None) -> Operation:
    flags = genl.GENL_CMD_CAP_DUMP | _mask(PERMISSIONS, operation.flags)
    validate = _mask(VALIDATE_DUMP, operation.dont_validate)
    return Operation(number, operation.name, flags, policy, dump=dumper, validate=validate)


def _capabilities(flags: Iterable[str]) -> tuple[int, ...]:
    """Return the capabilities that a task needs to join a multicast group with the flags `flags`. If the
    flags contain `admin-perm`, the capability is CAP_NET_ADMIN (GENL_MCAST_CAP_NET_ADMIN).
    """
    return (CAP_NET_ADMIN,) if "admin-perm" in flags else ()


def _mask(bits: Mapping[str, int], words: Iterable[str]) -> int:
    return sum(bits.get(word, 0) for word in words)
