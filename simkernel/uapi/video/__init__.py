"""Video for Linux: the structures and numbers of V4L2."""
