"""A virtual camera."""
