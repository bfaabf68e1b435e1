"""Memory: user address spaces, shared memory, DMA."""
