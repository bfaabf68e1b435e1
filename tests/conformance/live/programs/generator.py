"""Random programs, generated while simkernel executes them.

An example has themes, which make some calls frequent. A program makes several steps before another
continues. Steps are plain data and can be executed again without the generator.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.conformance.live.programs import draw as v
from tests.conformance.live.programs.draw import Draw
from tests.conformance.live.programs.sides import SimulatedSide, is_unmodelled
from tests.conformance.live.programs.situations import SITUATIONS
from tests.conformance.live.programs.steps import START, Seen, Step, Steps
from tests.conformance.live.programs.themes import THEMES, Arguments

COMMON: Final = {"any": 2}


MACRO: Final = 0.06
"""Probability that the next steps are a whole situation (a prepared sequence of steps) instead of a single
random step.
"""


class Generator:
    """Generator of one example's steps, which executes them in simkernel."""

    def __init__(self, random: Random, number: int) -> None:
        self.random = random
        self.number = number
        themes = random.sample(
            [each for each in THEMES if each not in COMMON], random.choice((1, 1, 2, 2, 3))
        )
        self._rows: list[tuple[str, Arguments]] = []
        self._weights: list[int] = []
        self._situations = [each for name in themes for each in SITUATIONS[name]]
        for name, table in THEMES.items():
            factor = 6 if name in themes else COMMON.get(name, 0)
            if factor:
                self._rows += [(call, arguments) for _, call, arguments in table]
                self._weights += [weight * factor for weight, _, _ in table]

    def run(self, side: SimulatedSide, length: int) -> tuple[Steps, list[Seen]]:
        """Generate and execute about `length` steps. Stop early if all programs are blocked or have ended and
        the example already has the maximum number of programs. Stop also at a step that simkernel does not
        model or whose result depends on chance.
        """
        steps: list[Step] = []
        seen: list[Seen] = []

        def perform(step: Step) -> bool:
            steps.append(step)
            seen.append(side.perform(step))
            if side.chance:
                steps.pop()
                seen.pop()
                return False
            return not is_unmodelled(seen[-1])

        for _ in range(self.random.choice((1, 1, 2, 2, 3))):
            perform(Step(-1, START, self.random.choice(v.USERS)))
        place, left = 0, 0
        while len(steps) < length and not side.chance and not is_unmodelled(seen[-1]):
            free = side.free()
            if not free:
                if len(side.programs.all) >= v.MAX_PROGRAMS:
                    break
                perform(Step(-1, START, self.random.choice(v.USERS)))
                continue
            if not left or place not in free:
                place, left = self.random.choice(free), self.random.randint(1, 24)
            left -= 1
            draw = Draw(self.random, side, place, self.number)
            if draw.chance(MACRO):
                situation = draw.choice(self._situations)
                for step in situation(draw, lambda: steps and seen[-1].outcome[1]):
                    if step.program not in side.free() or not perform(step):
                        break
            elif (step := self._step(draw)) is not None:
                perform(step)
        return tuple(steps), seen

    def _step(self, draw: Draw) -> Step | None:
        if len(draw.open) > v.MAX_OPEN and draw.chance(0.7):
            return Step(draw.place, "close", (draw.choice(draw.open)[0],))
        ((call, arguments),) = self.random.choices(self._rows, self._weights)
        full = len(draw.side.programs.all) >= v.MAX_PROGRAMS
        limited = draw.side.programs.all[draw.place].task.files.limit < 200
        # On the host, fork() needs a free descriptor, because the parent receives a socket for its child.
        if call == "fork" and (full or limited):
            return None
        return Step(draw.place, call, tuple(arguments(draw)))
