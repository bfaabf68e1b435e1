"""What a declared family sends by itself: the events and notifications of its specification."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simkernel.uapi.ynl.codec import codec

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.genetlink.call import Call, Values
    from simkernel.kernel.netlink.genetlink.family import Family
    from simkernel.kernel.netlink.genetlink.genetlink import GenericNetlink
    from simkernel.uapi.ynl import Operation, Spec


class Events:
    """Sends a family's events, by their names in its specification."""

    def __init__(self, genetlink: GenericNetlink, spec: Spec, family: Family) -> None:
        self._genetlink = genetlink
        self._spec = spec
        self._family = family

    def multicast(self, event: str, values: Values, *, net: Net | None = None, exclude: int = 0) -> None:
        """Send an event to its group, in `net` or everywhere.

        ESRCH if nobody is in the group, ENOBUFS if a member that asked to be told of it lost it.
        """
        operation = self._operation(event)
        self._genetlink.multicast(
            self._family,
            self._group(operation),
            self._number(operation),
            self._encode(operation, values),
            net=net,
            exclude=exclude,
        )

    def notify(self, call: Call, event: str, values: Values) -> None:
        """Send an event that a request caused, to its sender too if it wants an echo (`genl_notify()`)."""
        operation = self._operation(event)
        self._genetlink.notify(
            call.info, self._group(operation), self._number(operation), self._encode(operation, values)
        )

    def has_listeners(self, event: str) -> bool:
        """Whether anybody is in the event's group."""
        return self._genetlink.has_listeners(self._family, self._group(self._operation(event)))

    def _operation(self, event: str) -> Operation:
        operation = self._spec.operation(event)
        if not operation.is_asynchronous:
            raise ValueError(f"{self._spec.name}: '{event}' is asked for, it is not sent by itself")
        return operation

    def _group(self, operation: Operation) -> int:
        names = [group.name for group in self._spec.groups]
        return names.index(operation.group)

    @staticmethod
    def _number(operation: Operation) -> int:
        assert operation.reply_number is not None
        return operation.reply_number

    def _encode(self, operation: Operation, values: Values) -> bytes:
        return codec(self._spec, operation.name, "event", "reply").encode(values)
