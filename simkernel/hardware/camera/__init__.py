"""A virtual camera: its data sheet, its device and its test patterns."""
