"""Basic services for all parts of the kernel: log, taints, costs, rate limits, unmodelled behaviour."""
