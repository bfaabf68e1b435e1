"""`python -m simkernel`, where the `simkernel` command is not on the path."""

from simkernel.cli import main

main(prog_name="simkernel")
