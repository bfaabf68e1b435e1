"""File descriptors: descriptor -> open file -> object."""
