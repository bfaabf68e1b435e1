"""The contract between programs and kernel: constants, structures and codecs, one header per file.

Everything here is Linux's (x86-64) on every host, and sans-IO: bytes in, objects out, and back.
"""
