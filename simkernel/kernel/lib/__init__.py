"""What every kernel part may use: the log, taints, costs, rate limits, unmodelled behaviour."""
