"""Entry point of `python -m simkernel`, for when the `simkernel` command is not on the PATH."""

from simkernel.cli import main

main(prog_name="simkernel")
