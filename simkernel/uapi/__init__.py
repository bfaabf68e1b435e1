"""The interface between programs and kernel: constants, structures and codecs.  Most modules are named
after a header of Linux.

All values are those of Linux on x86-64, on every host.  The codecs convert bytes to objects and back,
without input or output.
"""
