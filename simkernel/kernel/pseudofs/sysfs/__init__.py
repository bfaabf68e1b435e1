"""sysfs: directories that show the current objects of the kernel, generated at each lookup."""
