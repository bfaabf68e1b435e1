"""Exit codes; 2, for a wrong command line, is click's."""

from typing import Final

FAILED: Final = 1
INTERRUPTED: Final = 130
"""What a shell makes of SIGINT."""
