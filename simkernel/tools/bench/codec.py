"""Row 5 of the benchmark: encode and decode a message of 172 bytes with ten attributes, one of which nests
four others.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, Final

from simkernel.tools.bench.anchors import import_pyroute2
from simkernel.tools.bench.clients import read_attributes
from simkernel.tools.bench.stopwatch import Work
from simkernel.uapi.genetlink import GENL_HDRLEN, GenlMsgHdr
from simkernel.uapi.netlink import NLA_F_NESTED, NLM_F_REQUEST, NLMSG_MIN_TYPE, locate_messages, message
from simkernel.ynl import Spec, parse
from simkernel.ynl.codec import codec

SPECIFICATION: Final = "codec.yaml"

VALUES: Final[dict[str, Any]] = {
    "device": "camera0",
    "sequence": 123_456,
    "width": 640,
    "height": 480,
    "line-bytes": 1280,
    "frame-bytes": 614_400,
    "checksum": 0xDEADBEEF,
    "stamp": 1_234_567_890_123,
    "serial": bytes(range(24)),
    "times": {"begin": 1, "end": 2**40, "interrupt": 2**41, "announced": 2**42},
}
PYROUTE2_TYPES: Final = {
    "u32": "uint32", "u64": "uint64", "string": "asciiz", "binary": "cdata", "nest": "times",
}  # fmt: skip
"""For each attribute type of a YNL specification, the type name that pyroute2 uses. For a nest, it is the
name of a class attribute that holds the class of the nested attributes. The message of the benchmark has one
nest, whose name is `times`.
"""


def specification() -> Spec:
    """Return the parsed YNL specification of the message that the benchmark encodes."""
    text = resources.files("simkernel.tools.bench").joinpath(SPECIFICATION).read_text("utf-8")
    return parse(text, SPECIFICATION)


@contextmanager
def messages() -> Iterator[Work]:
    """Work to be timed: encode and decode a message with simkernel's codec, which is made from a
    specification.
    """
    spec = specification()
    request = codec(spec, "get", "do", "request")
    header = GenlMsgHdr(1, 1).pack()

    def run(iterations: int) -> None:
        for _ in range(iterations):
            data = message(NLMSG_MIN_TYPE, header + request.encode(VALUES), flags=NLM_F_REQUEST)
            located, _ = locate_messages(data)
            for _, start, end in located:
                request.decode(data, start + GENL_HDRLEN, end)

    yield Work(run)


@contextmanager
def pyroute2_messages() -> Iterator[Work]:
    """Work to be timed: encode and decode a message with pyroute2, from its table of attributes."""
    import_pyroute2()
    kind = _pyroute2_message()
    attributes = [(name.upper(), value) for name, value in VALUES.items()]
    inside = [(name.upper(), value) for name, value in VALUES["times"].items()]
    attributes[-1] = ("TIMES", {"attrs": inside})

    def run(iterations: int) -> None:
        for _ in range(iterations):
            sent = kind()
            sent["header"]["type"] = NLMSG_MIN_TYPE
            sent["header"]["flags"] = NLM_F_REQUEST
            sent["cmd"] = 1
            sent["version"] = 1
            sent["attrs"] = attributes
            sent.encode()
            read = kind(bytes(sent.data))
            read.decode()
            read_attributes(read["attrs"])

    yield Work(run)


def _pyroute2_message() -> Any:
    """Return a pyroute2 class for the message that the benchmark encodes, as a user of pyroute2 would write
    the class.
    """
    from pyroute2.netlink import genlmsg, nla

    sets = specification().attribute_sets

    def table(name: str) -> tuple[tuple[str, str], ...]:
        attributes = sets[name].attributes.values()
        return ("UNSPEC", "none"), *((each.name.upper(), PYROUTE2_TYPES[each.type]) for each in attributes)

    class Times(nla):  # type: ignore[misc]
        nla_flags = NLA_F_NESTED
        nla_map = table("times")

    class Frame(genlmsg):  # type: ignore[misc]
        times = Times
        nla_map = table("frame")

    return Frame
