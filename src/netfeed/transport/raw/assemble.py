"""Write programs of classic BPF by name, with labels: jumps are counted here, and made long where they must be.

A conditional jump reaches 255 instructions. Where it should reach further, a `ja`, which reaches any, is put behind it
and jumped to; that moves what follows, so lengths are counted until none changes.
"""

from dataclasses import dataclass
from typing import Final

from netfeed.errors import ConfigurationError, MisuseError
from netfeed.transport.raw.bpf import JUMP, MAX_INSTRUCTIONS, RETURN, Instruction, Program

CODES: Final = {
    "ld #": 0x00, "ld []": 0x20, "ldh []": 0x28, "ld [x]": 0x40, "ldh [x]": 0x48, "ldb [x]": 0x50, "ld M": 0x60,
    "ldx #": 0x01, "ldx M": 0x61, "st": 0x02, "stx": 0x03, "tax": 0x07, "and": 0x54, "lsh": 0x64, "add": 0x04,
    "add x": 0x0C, "txa": 0x87, "ja": JUMP, "jeq": 0x15, "jset": 0x45, "ret": RETURN,
}  # fmt: skip
"""The operations that the filters made here are written with."""
REACH: Final = 255
_CONDITIONAL: Final = ("jeq", "jset")


@dataclass(slots=True)
class _Step:
    """An instruction whose jumps are labels, "" being the next one; `far` says which of them need a `ja`."""

    code: int
    k: int
    to: tuple[str, ...]
    far: list[bool]

    @property
    def size(self) -> int:
        return 1 + sum(self.far)


class Listing:
    """A program on its way: instructions are appended by name, and labels stand between them."""

    def __init__(self) -> None:
        self._steps: list[_Step] = []
        self._labels: dict[str, int] = {}  # the step that a label stands before
        self._made = 0

    def label(self) -> str:
        """Make the name of a place that is to be put somewhere later."""
        self._made += 1
        return f"L{self._made}"

    def put(self, name: str) -> None:
        """Let a label stand before the next instruction."""
        self._labels[name] = len(self._steps)

    def add(self, name: str, k: int = 0) -> None:
        """Append an instruction that does not jump."""
        self._steps.append(_Step(CODES[name], k, (), []))

    def branch(self, name: str, k: int, if_true: str = "", if_false: str = "") -> None:
        """Append a conditional jump to labels, "" being the next instruction."""
        self._steps.append(_Step(CODES[name], k, (if_true, if_false), [False, False]))

    def jump(self, to: str) -> None:
        """Append a jump to a label."""
        self._steps.append(_Step(JUMP, 0, (to,), [False]))

    def assemble(self) -> Program:
        """Give the program.

        Raises: ConfigurationError when it is longer than the kernel takes; MisuseError for a jump backwards.
        """
        places = self._places()
        while self._stretch(places):
            places = self._places()
        if places[-1] > MAX_INSTRUCTIONS:
            raise ConfigurationError(
                f"the filter has {places[-1]} instructions, the kernel takes {MAX_INSTRUCTIONS}: ask for less in one"
            )
        return tuple(one for at, step in enumerate(self._steps) for one in self._written(step, at, places))

    def _places(self) -> list[int]:
        """Give where each step begins, and where the last one ends."""
        places = [0]
        for step in self._steps:
            places.append(places[-1] + step.size)
        return places

    def _stretch(self, places: list[int]) -> bool:
        """Mark the conditional jumps that do not reach; say whether there are any new ones."""
        changed = False
        for at, step in enumerate(self._steps):
            for which, to in enumerate(step.to if step.code != JUMP else ()):
                if not step.far[which] and self._distance(to, at, places) > REACH:
                    step.far[which] = changed = True
        return changed

    def _distance(self, to: str, at: int, places: list[int]) -> int:
        """Count the instructions between the first one of a step and a label."""
        target = self._labels[to] if to else at + 1
        if target <= at:
            raise MisuseError("a filter jumps forward only")
        return places[target] - places[at] - 1

    def _written(self, step: _Step, at: int, places: list[int]) -> list[Instruction]:
        if step.code == JUMP:
            return [Instruction(JUMP, k=self._distance(step.to[0], at, places))]
        if not step.to:
            return [Instruction(step.code, k=step.k)]
        skips, behind = [0, 0], list[Instruction]()
        for which, to in enumerate(step.to):
            distance = self._distance(to, at, places)
            if step.far[which]:
                skips[which] = len(behind)
                behind.append(Instruction(JUMP, k=distance - len(behind) - 1))
            else:
                skips[which] = distance
        return [Instruction(step.code, skips[0], skips[1], step.k), *behind]
