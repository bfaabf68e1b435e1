"""File systems without storage: procfs, sysfs, devtmpfs, and the memory and log devices."""
