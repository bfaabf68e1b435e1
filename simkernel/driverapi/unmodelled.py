"""Errors for features of Linux that simkernel does not model. Without these errors, programs would get wrong
results.

raise unmodelled(this, "an absolute axis is not modelled", EINVAL)
"""

from __future__ import annotations

from simkernel.driverapi.context import kernel_of
from simkernel.kernel.module.module import ThisModule


def unmodelled(this: ThisModule, text: str, number: int) -> Exception:
    """Return the exception to raise for an unmodelled feature. `text` says which feature is not modelled.

    `number` is the errno that Linux returns if a kernel lacks the feature.
    """
    return kernel_of(this).unmodelled(text, number)
