"""The checkers of a kernel that `Machine(checks=...)` enables."""
