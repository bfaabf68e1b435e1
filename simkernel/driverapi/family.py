"""From a specification and handlers to a family; for genetlink.py, not for drivers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from simkernel.engine import SimulationError
from simkernel.kernel.module.module import LoadedModule
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
from simkernel.uapi import genetlink as genl
from simkernel.uapi.capability import CAP_NET_ADMIN
from simkernel.uapi.ynl import Operation as SpecOperation
from simkernel.uapi.ynl import Spec
from simkernel.uapi.ynl.errors import choose
from simkernel.uapi.ynl.policy import PolicyTable
from simkernel.uapi.ynl.tables import family_policies

MakeDoIt = Callable[[str], DoIt]
MakeDumper = Callable[[str], Dumper]

_PERMISSIONS = {"admin-perm": genl.GENL_ADMIN_PERM, "uns-admin-perm": genl.GENL_UNS_ADMIN_PERM}
_VALIDATE_DO = {"strict": DONT_VALIDATE_STRICT}
_VALIDATE_DUMP = {"dump": DONT_VALIDATE_DUMP, "dump-strict": DONT_VALIDATE_DUMP_STRICT}


def build_family(
    this: LoadedModule,
    spec: Spec,
    do: Collection[str],
    dump: Collection[str],
    make_do: MakeDoIt,
    make_dumper: MakeDumper,
) -> Family:
    """The family of `spec`, served by `this`.  SimulationError if a handler is missing or is of nothing.

    As tools/net/ynl/ynl-gen-c.py makes it: with its operations split, in all namespaces, parallel.
    """
    calls = [each for each in spec.operations.values() if each.do or each.dump]
    _check(spec, "do", do, [each.name for each in calls if each.do])
    _check(spec, "dump", dump, [each.name for each in calls if each.dump])
    policies = family_policies(spec)
    commands = []
    for call in calls:
        assert call.request_number is not None
        tables = policies.operations[call.name]
        commands.append(
            Command(
                call.request_number,
                _operation(call, tables.do, do=make_do(call.name)) if call.do else None,
                _operation(call, tables.dump, dump=make_dumper(call.name)) if call.dump else None,
            )
        )
    return Family(
        spec.name,
        tuple(commands),
        tuple(Group(each.name, (CAP_NET_ADMIN,) if each.flags else ()) for each in spec.groups),
        version=spec.version,
        maxattr=policies.maxattr,
        parallel=True,
        split=spec.kernel_policy == "split",
        owner=this,
    )


def _operation(
    call: SpecOperation, policy: PolicyTable | None, *, do: DoIt | None = None, dump: Dumper | None = None
) -> Operation:
    assert call.request_number is not None
    kind, validate = (
        (genl.GENL_CMD_CAP_DO, _VALIDATE_DO) if do is not None else (genl.GENL_CMD_CAP_DUMP, _VALIDATE_DUMP)
    )
    return Operation(
        call.request_number,
        call.name,
        _mask(_PERMISSIONS, call.flags) | kind,
        policy,
        do=do,
        dump=dump,
        validate=_mask(validate, call.dont_validate),
    )


def _mask(bits: Mapping[str, int], names: tuple[str, ...]) -> int:
    mask = 0
    for name in names:
        mask |= bits.get(name, 0)
    return mask


def _check(spec: Spec, mode: str, handlers: Collection[str], operations: list[str]) -> None:
    for name in handlers:
        if name not in operations:
            raise SimulationError(f"{spec.name} has no {mode} {name!r} to handle: {choose(name, operations)}")
    for name in operations:
        if name not in handlers:
            raise SimulationError(f"{spec.name} declares a {mode} {name!r} that nothing handles")
