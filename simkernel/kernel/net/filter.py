"""Execution of a socket's classic BPF filter on a message (`sk_filter()`, net/core/filter.c)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from random import Random
from struct import Struct
from typing import Final

from simkernel.kernel.net.filter_check import check
from simkernel.uapi import filter as bpf
from simkernel.uapi.netlink import NLA_HDRLEN, NLA_TYPE_MASK, locate_attributes
from simkernel.uapi.structure import BE16, BE32, U8, U16

U32_MAX: Final = 0xFFFFFFFF

_ARITHMETIC: Final[dict[int, Callable[[int, int], int]]] = {
    bpf.BPF_ADD: operator.add,
    bpf.BPF_SUB: operator.sub,
    bpf.BPF_MUL: operator.mul,
    bpf.BPF_DIV: operator.floordiv,
    bpf.BPF_MOD: operator.mod,
    bpf.BPF_OR: operator.or_,
    bpf.BPF_AND: operator.and_,
    bpf.BPF_XOR: operator.xor,
    bpf.BPF_LSH: lambda a, b: a << (b & 31),
    bpf.BPF_RSH: lambda a, b: a >> (b & 31),
    bpf.BPF_NEG: lambda a, _: -a,
}
_COMPARISONS: Final[dict[int, Callable[[int, int], bool]]] = {
    bpf.BPF_JEQ: operator.eq,
    bpf.BPF_JGT: operator.gt,
    bpf.BPF_JGE: operator.ge,
    bpf.BPF_JSET: lambda a, b: bool(a & b),
}
_SIZES: Final[dict[int, Struct]] = {bpf.BPF_W: BE32, bpf.BPF_H: BE16, bpf.BPF_B: U8}

_CLASS: Final = 0x07
_SIZE: Final = 0x18
_MODE: Final = 0xE0
_OPERATION: Final = 0xF0

_NO_DEVICE: Final = frozenset({bpf.SKF_AD_IFINDEX, bpf.SKF_AD_HATYPE})
"""Ancillary loads that read the receiving device. A netlink message has no receiving device, so the load ends
the filter program with register A as the result.
"""


class _Done(Exception):
    """Python exception that ends the execution of a filter program. `value` is the result of the program."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class Filter:
    """A checked filter program. `len()` returns the number of its instructions. `code` contains the encoded
    instructions (`struct sock_filter`).
    """

    __slots__ = ("_program", "_random", "code")

    def __init__(self, code: bytes, random: Random) -> None:
        self._program = check(code)
        self._random = random
        self.code = code

    def __len__(self) -> int:
        return len(self._program)

    def run(self, data: bytes) -> int:
        """Run the filter program and return the number of accepted bytes. The result 0 drops the message. A
        result above the message's length accepts the whole message.
        """
        return _Machine(data, self._random).run(self._program)


def _signed(offset: int) -> int:
    """Interpret an unsigned 32-bit number as a signed number in two's complement."""
    return (offset ^ 1 << 31) - (1 << 31)


class _Machine:
    """Registers and memory during one execution of a filter program."""

    __slots__ = ("a", "data", "memory", "random", "x")

    def __init__(self, data: bytes, random: Random) -> None:
        self.data = data
        self.random = random
        self.a = 0
        self.x = 0
        self.memory = [0] * bpf.BPF_MEMWORDS

    def run(self, program: list[bpf.SockFilter]) -> int:
        position = 0
        try:
            while True:
                instruction = program[position]
                position += 1 + _CLASSES[instruction.code & _CLASS](self, instruction)
        except _Done as done:
            return done.value

    # A method that executes an instruction returns the number of following instructions to skip.

    def load(self, instruction: bpf.SockFilter) -> int:
        code, k = instruction.code, instruction.k
        mode = code & _MODE
        if mode == bpf.BPF_ABS:
            offset = _signed(k)
            if offset >= bpf.SKF_AD_OFF and offset < 0:
                self.a = self.ancillary(offset - bpf.SKF_AD_OFF)
            else:
                self.a = self.fetch(offset, _SIZES[code & _SIZE])
        elif mode == bpf.BPF_IND:
            self.a = self.fetch(_signed((self.x + k) & U32_MAX), _SIZES[code & _SIZE])
        else:
            self.a = self.other(mode, k)
        return 0

    def load_x(self, instruction: bpf.SockFilter) -> int:
        mode, k = instruction.code & _MODE, instruction.k
        if mode == bpf.BPF_MSH:
            self.x = (self.fetch(_signed(k), U8) & 0xF) << 2
        else:
            self.x = self.other(mode, k)
        return 0

    def other(self, mode: int, k: int) -> int:
        """Return the value that `mode` selects: the length of the message, memory cell `k`, or the constant
        `k`.
        """
        if mode == bpf.BPF_LEN:
            return len(self.data)
        return self.memory[k] if mode == bpf.BPF_MEM else k

    def fetch(self, offset: int, layout: Struct) -> int:
        """Read a big-endian number from the message. If the offset is outside the message, end the filter
        program with the result 0.

        Offsets from SKF_NET_OFF count from the network header, which is the beginning of a netlink
        message.
        """
        if offset < 0:
            offset -= bpf.SKF_NET_OFF
        if offset < 0 or offset + layout.size > len(self.data):
            raise _Done(0)
        value: int = layout.unpack_from(self.data, offset)[0]
        return value

    def ancillary(self, what: int) -> int:
        """Return the value of an ancillary load, or 0 if netlink messages lack the requested data. If the
        load reads the receiving device, end the filter program.
        """
        if what == bpf.SKF_AD_NLATTR:
            return self.find_attribute(self.a, len(self.data))
        if what == bpf.SKF_AD_NLATTR_NEST:
            return self.find_nested()
        if what == bpf.SKF_AD_ALU_XOR_X:
            return self.a ^ self.x
        if what == bpf.SKF_AD_RANDOM:
            return self.random.getrandbits(32)
        if what in _NO_DEVICE:
            raise _Done(self.a)
        return 0

    def find_attribute(self, start: int, end: int) -> int:
        """Search from the offset `start` for an attribute whose type is in register X. Return the attribute's
        offset, or 0 if it is missing (`bpf_skb_get_nlattr()`).
        """
        located, _ = locate_attributes(self.data, start, end)
        for type, first, _ in located:
            if type & NLA_TYPE_MASK == self.x:
                return first - NLA_HDRLEN
        return 0

    def find_nested(self) -> int:
        """Search the nest at the offset in register A for an attribute whose type is in register X. Return
        the attribute's offset, or 0 if the nest lacks the attribute (`bpf_skb_get_nlattr_nest()`).
        """
        if self.a + NLA_HDRLEN > len(self.data):
            return 0
        (length,) = U16.unpack_from(self.data, self.a)
        if not NLA_HDRLEN <= length <= len(self.data) - self.a:
            return 0
        return self.find_attribute(self.a + NLA_HDRLEN, self.a + length)

    def store(self, instruction: bpf.SockFilter) -> int:
        self.memory[instruction.k] = self.a if instruction.code & _CLASS == bpf.BPF_ST else self.x
        return 0

    def arithmetic(self, instruction: bpf.SockFilter) -> int:
        code = instruction.code
        operand = self.x if code & bpf.BPF_X else instruction.k
        operation = code & _OPERATION
        if not operand and operation in (bpf.BPF_DIV, bpf.BPF_MOD):
            raise _Done(0)
        self.a = _ARITHMETIC[operation](self.a, operand) & U32_MAX
        return 0

    def jump(self, instruction: bpf.SockFilter) -> int:
        code = instruction.code
        if code & _OPERATION == bpf.BPF_JA:
            return instruction.k
        operand = self.x if code & bpf.BPF_X else instruction.k
        return instruction.jt if _COMPARISONS[code & _OPERATION](self.a, operand) else instruction.jf

    def end(self, instruction: bpf.SockFilter) -> int:
        raise _Done(self.a if instruction.code & bpf.BPF_A else instruction.k)

    def move(self, instruction: bpf.SockFilter) -> int:
        if instruction.code & bpf.BPF_TXA:
            self.a = self.x
        else:
            self.x = self.a
        return 0


_CLASSES: Final[dict[int, Callable[[_Machine, bpf.SockFilter], int]]] = {
    bpf.BPF_LD: _Machine.load,
    bpf.BPF_LDX: _Machine.load_x,
    bpf.BPF_ST: _Machine.store,
    bpf.BPF_STX: _Machine.store,
    bpf.BPF_ALU: _Machine.arithmetic,
    bpf.BPF_JMP: _Machine.jump,
    bpf.BPF_RET: _Machine.end,
    bpf.BPF_MISC: _Machine.move,
}
