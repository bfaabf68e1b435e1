"""/proc/modules (kernel/module/procfs.c)."""

from __future__ import annotations

from typing import Final

from simkernel.kernel.module.module import LoadedModule, ModuleState
from simkernel.kernel.parts import KernelParts

ADDRESS: Final = "0x0000000000000000"
"""Where a module lies nobody is shown (`kallsyms_show_value()` under kptr_restrict=2)."""
MARKS: Final = {ModuleState.COMING: "+", ModuleState.GOING: "-"}


def records(kernel: KernelParts) -> list[str]:
    """A line for each module, the newest first: `m_show()`."""
    return [_line(module) for module in kernel.modules if module.state is not ModuleState.UNFORMED]


def _line(module: LoadedModule) -> str:
    users = "".join(f"{user.name}," for user in module.users)
    if module.permanent:
        users += "[permanent],"
    flags = module.taints.letters + MARKS.get(module.state, "")
    return (
        f"{module.name} {module.image.size} {module.references} {users or '-'} "
        f"{module.state.value} {ADDRESS}{f' ({flags})' if flags else ''}\n"
    )
