"""Socket filters to attach: programs that make sense, and programs that are refused."""

from __future__ import annotations

from typing import Final

from simkernel.uapi import filter as bpf

_ACCEPT = (bpf.BPF_RET | bpf.BPF_K, 0, 0, 0xFFFFFFFF)
_DROP = (bpf.BPF_RET | bpf.BPF_K, 0, 0, 0)
_LOAD_W, _LOAD_H, _LOAD_B = (bpf.BPF_LD | size | bpf.BPF_ABS for size in (bpf.BPF_W, bpf.BPF_H, bpf.BPF_B))
_JEQ, _JGT, _JSET = (bpf.BPF_JMP | test | bpf.BPF_K for test in (bpf.BPF_JEQ, bpf.BPF_JGT, bpf.BPF_JSET))
FILTERS: Final = (
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
