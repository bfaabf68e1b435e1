"""Module loading: the index of module files, symbols, parameters, request_module."""
