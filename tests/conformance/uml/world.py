"""User-mode Linux as a world: a whole case runs in the guest, and its observations come back.

`uml` boots one guest, at the first case, for all the cases of a run.  Where UML cannot run, each case is
skipped with the reason.
"""

from __future__ import annotations

import atexit

from tests.conformance.case import Case
from tests.conformance.runner import GRACE, Outcome
from tests.conformance.uml.boot import Uml, Unavailable

UNLOADING = 5.0
"""Seconds that the guest has after a case to unload what the case has loaded."""


class UmlCases:
    """Runs cases in a guest.  A guest that a case has changed for good is replaced by a new one."""

    def __init__(self) -> None:
        self._guest: Uml | None = None
        self._unavailable = ""
        atexit.register(self.close)

    def guest(self) -> Uml:
        """Return the guest, booted if there is none.  Unavailable."""
        if self._unavailable:
            raise Unavailable(self._unavailable)
        if self._guest is None:
            try:
                self._guest = Uml()
            except Unavailable as reason:
                self._unavailable = str(reason)
                raise
        return self._guest

    @property
    def kernel(self) -> str:
        """Name, release and machine of the guest's kernel.  Unavailable."""
        return self.guest().kernel

    def run_case(self, case: Case, limit: float) -> Outcome:
        """Run a case in the guest."""
        try:
            answer = self.guest().ask({"case": case.name, "limit": limit}, limit + GRACE + UNLOADING)
        except Unavailable as reason:
            return Outcome(skipped=str(reason))
        except (EOFError, TimeoutError) as error:
            self.close()
            return Outcome(error=f"User-mode Linux has died: {error}")
        if answer["left"]:
            self.close()  # a module that stays loaded would be there in the next case
        return Outcome(**answer["outcome"])

    def close(self) -> None:
        """End the guest."""
        if self._guest is not None:
            self._guest.close()
            self._guest = None


uml = UmlCases()
