"""Errors for features that simkernel does not model, instead of wrong results.

raise unmodelled(this, "an absolute axis", EINVAL)
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def unmodelled(this: ThisModule, what: str, number: int) -> Exception:
    """Return the exception to raise for the unmodelled feature `what`.

    `number` is the errno that Linux returns if a kernel lacks the feature.
    """
    return kernel_of(this).unmodelled(what, number)
