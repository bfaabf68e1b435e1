"""The interface between programs and kernel: constants, structures and codecs, one Linux header per file.

All values are those of Linux on x86-64, on every host.  The codecs convert bytes to objects and back,
without input or output.
"""
