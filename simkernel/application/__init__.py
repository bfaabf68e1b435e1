"""What a program sees: system calls under Python's names, and helpers built on them."""
