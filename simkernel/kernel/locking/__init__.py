"""What may sleep where: the preempt count, spinlocks, mutexes, completions."""
