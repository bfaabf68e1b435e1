"""Details of an error beyond its errno: the extended ACK (`struct netlink_ext_ack`)."""

from __future__ import annotations

import attrs

from simkernel.kernel.netlink import policy_dump
from simkernel.kernel.netlink.writer import MessageWriter
from simkernel.uapi import netlink as nl
from simkernel.ynl.policy import AttributePolicy

MAX_SIZE = 1 << 16
"""Size of a writer's buffer that can hold any extended ACK, in bytes."""


@attrs.define(eq=False, repr=False)
class ExtendedAck:
    """An error message and, if known, the attribute that is wrong or missing.

    `bad_attribute` and `missing_nest` are byte offsets from the start of the request's header.
    """

    message: str | None = None
    cookie: bytes = b""
    bad_attribute: int | None = None
    policy: AttributePolicy | None = None
    missing_type: int | None = None
    missing_nest: int | None = None

    def attribute(
        self, place: int, message: str | None = None, policy: AttributePolicy | None = None
    ) -> None:
        """Record that the attribute at offset `place` is at fault (NL_SET_ERR_MSG_ATTR_POL(),
        NL_SET_BAD_ATTR()).
        """
        if message is not None:
            self.message = message
        self.bad_attribute = place
        self.policy = policy

    def size(self, error: int) -> int:
        """Return the number of bytes to reserve for the extended ACK in an answer (`netlink_ack_tlv_len()`).

        The size of a policy is an upper estimate, so the answer can be shorter.
        """
        writer = MessageWriter(MAX_SIZE)
        self._write(writer, error, None)
        estimate = policy_dump.size_estimate(self.policy) if error and self.policy is not None else 0
        return len(writer.data) + estimate

    def write(self, writer: MessageWriter, error: int) -> None:
        """Append the extended ACK to an answer (`netlink_ack_tlv_fill()`). If `error` is 0, write only the
        message and the cookie.
        """
        self._write(writer, error, self.policy)

    def _write(self, writer: MessageWriter, error: int, policy: AttributePolicy | None) -> None:
        if self.message:
            writer.put_string(nl.NLMSGERR_ATTR_MSG, self.message)
        if self.cookie:
            writer.put(nl.NLMSGERR_ATTR_COOKIE, self.cookie)
        if not error:
            return
        if self.bad_attribute is not None:
            writer.put_u32(nl.NLMSGERR_ATTR_OFFS, self.bad_attribute)
        if policy is not None:
            policy_dump.write_attribute(writer, nl.NLMSGERR_ATTR_POLICY, policy)
        if self.missing_type:
            writer.put_u32(nl.NLMSGERR_ATTR_MISS_TYPE, self.missing_type)
        if self.missing_nest is not None:
            writer.put_u32(nl.NLMSGERR_ATTR_MISS_NEST, self.missing_nest)
