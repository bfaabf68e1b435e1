"""What a declared family's handlers are, and what they are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import attrs

from simkernel.uapi.errno import EINVAL, os_error
from simkernel.uapi.netlink import NLM_F_MULTI
from simkernel.uapi.structure import Malformed
from simkernel.uapi.ynl.codec import codec
from simkernel.uapi.ynl.errors import choose

if TYPE_CHECKING:
    from simkernel.kernel.net.namespace import Net
    from simkernel.kernel.netlink.genetlink.info import Info
    from simkernel.kernel.task.credentials import Credentials
    from simkernel.uapi.ynl import Operation, Spec
    from simkernel.uapi.ynl.model import ModeName

Values = Mapping[str, Any]
"""Attributes by the names in the specification."""


@attrs.frozen(eq=False)
class Handlers:
    """What a module does for one operation.

    `do` takes a Call and returns the values of its reply, or None for no reply.  `dump` takes a
    Call and returns an iterable of the values of its messages; the iterable is read on as the
    program reads, so it has to bear that what it goes through changes.  Either may be `async def`.
    `generation` says which state of the data a dump reads: a number that is never 0 and changes with
    it.  Then a dump that was overtaken by a change is marked NLM_F_DUMP_INTR.  `dump_flags` are
    those of a dump's messages.
    """

    do: Callable[[Call], Any] | None = None
    dump: Callable[[Call], Any] | None = None
    generation: Callable[[], int] | None = None
    dump_flags: int = NLM_F_MULTI


class Call:
    """A request to a declared family, as its handler sees it."""

    __slots__ = ("_attributes", "_mode", "_operation", "_spec", "info")

    def __init__(self, info: Info, spec: Spec, operation: Operation, mode: ModeName) -> None:
        self.info = info
        self._spec = spec
        self._operation = operation
        self._mode = mode
        self._attributes: dict[str, Any] | None = None

    @property
    def attributes(self) -> dict[str, Any]:
        """What the request says, by the names in the specification.

        EINVAL for what an old command let pass but nobody can read.
        """
        if self._attributes is None:
            request = self.info.request
            payload = request.data[self.info.attributes_start : request.end]
            reader = codec(self._spec, self._operation.name, self._mode, "request")
            try:
                self._attributes = reader.decode(payload)
            except Malformed:
                raise os_error(EINVAL) from None
        return self._attributes

    @property
    def credentials(self) -> Credentials:
        """What who asks may do."""
        return self.info.credentials

    @property
    def portid(self) -> int:
        """Who asks."""
        return self.info.portid

    @property
    def net(self) -> Net:
        """The namespace that it was asked in."""
        return self.info.net

    def capable(self, capability: int) -> bool:
        """Whether who asks has a capability, and who opened the socket had (`netlink_capable()`)."""
        return self.info.capable(capability)

    def reply(self, values: Values) -> None:
        """Send one message back, besides what the handler returns.  EAGAIN if the asker has no room."""
        operation = self._operation
        assert operation.reply_number is not None
        self.info.reply(
            operation.reply_number, codec(self._spec, operation.name, "do", "reply").encode(values)
        )

    def fail(
        self, error: int, text: str | None = None, *, attribute: str | None = None, missing: str | None = None
    ) -> NoReturn:
        """Refuse the request with an errno, and say why: a text, the attribute that is at fault, or the
        one that should have been there.
        """
        self.info.fail(error, text, attribute=self._number(attribute), missing=self._number(missing))

    def _number(self, name: str | None) -> int | None:
        if name is None:
            return None
        attributes = self._spec.attribute_sets[self._operation.attribute_set].attributes
        if name not in attributes:
            raise ValueError(f"{self._operation.name} has no attribute '{name}'; {choose(name, attributes)}")
        return attributes[name].number
