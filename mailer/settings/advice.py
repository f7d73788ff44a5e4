"""What an installation works without, and would do better with."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """What could be better set."""

    variable: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"
