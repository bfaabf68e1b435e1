"""procfs: files about the kernel and its processes, with text generated at each read."""
