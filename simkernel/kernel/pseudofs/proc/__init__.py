"""procfs: what the kernel tells of itself and of processes, as text made when it is read."""
