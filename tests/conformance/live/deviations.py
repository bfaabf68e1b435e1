"""Intended differences between simkernel and Linux, each with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs

from simkernel.uapi.errno import EBADF, ESRCH
from simkernel.uapi.netlink import NLMSG_ERROR, NLMSG_HDRLEN, NlMsgHdr
from simkernel.uapi.rtnetlink import RTM_GETNSID, RTM_NEWLINK, RTM_NEWNSID, RTM_SETLINK
from simkernel.uapi.socket import SO_MEMINFO, SOL_SOCKET
from simkernel.uapi.structure import S32, U16

if TYPE_CHECKING:
    from tests.conformance.live.actor import Outcome
    from tests.conformance.live.example import Difference


@attrs.frozen
class Deviation:
    """An intended difference between simkernel and Linux. `covers` returns True if the deviation explains a
    given `Difference` of results.
    """

    name: str
    reason: str
    covers: Callable[[Difference], bool]


REQUEST_TYPE: Final = slice(24, 26)
"""Bytes of an error message that contain the message type of the failed request."""
BY_NUMBER: Final = frozenset({RTM_NEWLINK, RTM_SETLINK, RTM_NEWNSID, RTM_GETNSID})
"""Requests that can select a namespace by a pid or a file descriptor."""
OPTMEM: Final = slice(24, 28)
"""Bytes of SK_MEMINFO_OPTMEM in the value of SO_MEMINFO."""


def _filter_memory(difference: Difference) -> bool:
    step = difference.step
    if step.call != "getsockopt" or step.arguments[:2] != (SOL_SOCKET, SO_MEMINFO):
        return False
    real, simulated = difference.real[1], difference.simulated[1]
    if not (isinstance(real, bytes) and isinstance(simulated, bytes)):
        return False
    return real[: OPTMEM.start] + simulated[OPTMEM] + real[OPTMEM.stop :] == simulated


def _namespace_by_number(difference: Difference) -> bool:
    real, simulated = (_answer(outcome) for outcome in (difference.real, difference.simulated))
    if real is None or simulated is None or NlMsgHdr.LAYOUT.unpack_from(simulated)[1] != NLMSG_ERROR:
        return False
    error = -S32.unpack_from(simulated, NLMSG_HDRLEN)[0]
    return error in (ESRCH, EBADF) and U16.unpack(simulated[REQUEST_TYPE])[0] in BY_NUMBER


def _answer(outcome: Outcome) -> bytes | None:
    """Return the datagram that an outcome contains. Return None if it contains none, or one that is too short
    for an error message.
    """
    value = outcome[1]
    data = value[0] if isinstance(value, tuple) else value
    return data if isinstance(data, bytes) and len(data) >= REQUEST_TYPE.stop else None


DEVIATIONS: Final = (
    Deviation(
        "memory of a filter",
        "SO_MEMINFO reports the size of a filter after its translation to eBPF (SK_MEMINFO_OPTMEM), which "
        "changes between releases",
        _filter_memory,
    ),
    Deviation(
        "namespaces by number",
        "IFLA_NET_NS_PID and NETNSA_PID contain a pid, IFLA_NET_NS_FD and NETNSA_FD a file descriptor. A "
        "mutated message can contain a number that exists on the host but not in simkernel, which then "
        "returns ESRCH or EBADF",
        _namespace_by_number,
    ),
)


def deviation_of(difference: Difference) -> Deviation | None:
    """Return the deviation that explains a difference, or None."""
    return next((each for each in DEVIATIONS if each.covers(difference)), None)
