"""Counting what is copied (include/linux/instrumented.h, whose hooks stand round the same copies).

All that is copied across the boundary, and into a message of the kernel's, is charged by
`CostModel.copy`: so whoever wants to count gives a machine these prices, and nobody else pays for it.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from simkernel.kernel.lib.costs import CostModel


@attrs.define
class Copies:
    """How often something was copied, and how many bytes in all."""

    count: int = 0
    bytes: int = 0


@attrs.frozen
class Instrumented(CostModel):
    """The same prices as others, and a count of the copies that they were asked for."""

    lasting: ClassVar[bool] = False

    copies: Copies = attrs.field(factory=Copies, eq=False, kw_only=True)

    @classmethod
    def of(cls, costs: CostModel) -> Instrumented:
        """`costs`, counting."""
        return cls(**{field.name: getattr(costs, field.name) for field in attrs.fields(CostModel)})

    def copy(self, size: int) -> int:
        """What copying `size` bytes costs; counted unless there is nothing to copy."""
        if size:
            self.copies.count += 1
            self.copies.bytes += size
        return super().copy(size)
