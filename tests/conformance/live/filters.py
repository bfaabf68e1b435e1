"""Socket filters for SO_ATTACH_FILTER: valid programs and programs that the kernel rejects."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import Final

from simkernel.uapi import filter as bpf
from tests.conformance.world import Instruction

_ACCEPT = (bpf.BPF_RET | bpf.BPF_K, 0, 0, 0xFFFFFFFF)
_DROP = (bpf.BPF_RET | bpf.BPF_K, 0, 0, 0)
_LOAD_W, _LOAD_H, _LOAD_B = (bpf.BPF_LD | size | bpf.BPF_ABS for size in (bpf.BPF_W, bpf.BPF_H, bpf.BPF_B))
_JEQ, _JGT, _JSET = (bpf.BPF_JMP | test | bpf.BPF_K for test in (bpf.BPF_JEQ, bpf.BPF_JGT, bpf.BPF_JSET))
FILTERS: Final[tuple[tuple[Instruction, ...], ...]] = (
    (_ACCEPT,),
    (_DROP,),
    ((bpf.BPF_RET | bpf.BPF_K, 0, 0, 20),),
    ((_LOAD_B, 0, 0, 0), (_JEQ, 0, 1, 0), _DROP, _ACCEPT),
    ((_LOAD_H, 0, 0, 4), (_JGT, 0, 1, 0x1000), _ACCEPT, _DROP),
    ((_LOAD_W, 0, 0, 100), (_JSET, 1, 0, 1), _ACCEPT, _DROP),
    ((bpf.BPF_LD | bpf.BPF_W | bpf.BPF_LEN, 0, 0, 0), (bpf.BPF_RET | bpf.BPF_A, 0, 0, 0)),
    (
        (bpf.BPF_LDX | bpf.BPF_B | bpf.BPF_MSH, 0, 0, 0),
        (bpf.BPF_LD | bpf.BPF_B | bpf.BPF_IND, 0, 0, 1),
        (bpf.BPF_ALU | bpf.BPF_ADD | bpf.BPF_X, 0, 0, 0),
        (bpf.BPF_RET | bpf.BPF_A, 0, 0, 0),
    ),
    ((_LOAD_W, 0, 0, bpf.SKF_AD_OFF + bpf.SKF_AD_PROTOCOL & 0xFFFFFFFF), (bpf.BPF_RET | bpf.BPF_A, 0, 0, 0)),
    ((_LOAD_W, 0, 0, 0),),
    ((0xFFFF, 0, 0, 0), _ACCEPT),
    ((bpf.BPF_ALU | bpf.BPF_DIV | bpf.BPF_K, 0, 0, 0), _ACCEPT),
    ((_JEQ, 9, 0, 0), _ACCEPT),
)

_OPERATIONS: Final = (
    *(bpf.BPF_LD | size | mode for size, mode in product((0x00, 0x08, 0x10), (bpf.BPF_ABS, bpf.BPF_IND))),
    *(
        kind | mode
        for kind, mode in product((bpf.BPF_LD, bpf.BPF_LDX), (bpf.BPF_IMM, bpf.BPF_MEM, bpf.BPF_LEN))
    ),
    bpf.BPF_LDX | bpf.BPF_B | bpf.BPF_MSH,
    bpf.BPF_ST,
    bpf.BPF_STX,
    *(bpf.BPF_ALU | operation | source for operation, source in product(range(0, 0xB0, 0x10), (0, 8))),
    *(bpf.BPF_JMP | test | source for test, source in product((0x10, 0x20, 0x30, 0x40), (0, 8))),
    bpf.BPF_JMP | bpf.BPF_JA,
    bpf.BPF_MISC | bpf.BPF_TAX,
    bpf.BPF_MISC | bpf.BPF_TXA,
    bpf.BPF_RET | bpf.BPF_K,
    bpf.BPF_RET | bpf.BPF_A,
)
_OPERANDS: Final = (
    *(0, 0, 1, 2, 3, 4, 5, 8, 12, 15, 16, 20, 31, 32, 100, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    *(bpf.SKF_AD_OFF + offset & 0xFFFFFFFF for offset in (0, 4, 8, 12, 16, 20, 24, 28, 40, 44, 48, 60, 64)),
)
"""Operands of BPF instructions: small and large numbers, and offsets of BPF extensions (SKF_AD_*). Extensions
whose value depends on the machine are omitted, such as the CPU number.
"""


def keeping(count: int) -> tuple[Instruction, ...]:
    """Return a filter that keeps the first `count` bytes of each message."""
    return ((bpf.BPF_RET | bpf.BPF_K, 0, 0, count),)


def any_filter(random: Random) -> tuple[Instruction, ...]:
    """Return a random filter: a valid or invalid program from FILTERS, or random instructions that end with
    BPF_RET.
    """
    if random.random() < 0.4:
        return random.choice(FILTERS)
    count = random.randrange(7)
    instructions = tuple(
        (random.choice(_OPERATIONS), random.randrange(3), random.randrange(3), random.choice(_OPERANDS))
        for _ in range(count)
    )
    return (*instructions, random.choice((_ACCEPT, (bpf.BPF_RET | bpf.BPF_A, 0, 0, 0))))
