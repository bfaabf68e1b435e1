"""Entry point of `python -m simkernel`.  It starts simkernel even if the command `simkernel` is not on the
PATH.
"""

from simkernel.cli import main

main(prog_name="simkernel")
