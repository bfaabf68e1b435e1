"""User-mode Linux as one of the kernels on which conformance cases run. A whole case runs in the guest, which
returns the observations.

`uml` boots one guest at the first case, for all cases of a run. If UML cannot run, each case is skipped
with the reason.
"""

from __future__ import annotations

import atexit

from tests.conformance.case import Case
from tests.conformance.runner import GRACE, Outcome
from tests.conformance.uml.boot import Uml, Unavailable

UNLOADING = 5.0
"""Seconds that the guest may take to unload the modules of a case."""


class UmlCases:
    """Runner of cases in a UML guest. If the modules of a case cannot be unloaded, the runner boots a new
    guest.
    """

    def __init__(self) -> None:
        self._guest: Uml | None = None
        self._unavailable = ""
        atexit.register(self.close)

    def guest(self) -> Uml:
        """Return the guest. Boot it first if it does not run. Raise Unavailable if UML cannot run."""
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
        """System name, release and machine of the guest's kernel. Raise Unavailable if UML cannot run."""
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
            self.close()  # If a module stayed loaded, the next case would find it.
        return Outcome(**answer["outcome"])

    def close(self) -> None:
        """End the guest."""
        if self._guest is not None:
            self._guest.close()
            self._guest = None


uml = UmlCases()
