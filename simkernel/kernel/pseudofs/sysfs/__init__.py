"""sysfs: the kernel's objects as they are, made into directories when somebody looks."""
