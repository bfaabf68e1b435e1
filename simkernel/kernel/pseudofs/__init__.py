"""File systems without storage: procfs, sysfs and devtmpfs; the memory devices and /dev/kmsg."""
