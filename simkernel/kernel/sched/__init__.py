"""Tasks, wait queues, the scheduler, processes, signals, credentials and locks."""
