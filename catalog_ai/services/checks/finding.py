"""What one check found."""

from collections.abc import Sequence
from dataclasses import dataclass

from db.queries.health import EXAMPLES

OK, NOTE, PROBLEM = "ok", "note", "problem"
STATES = (OK, NOTE, PROBLEM)


@dataclass(frozen=True)
class Finding:
    """One check's outcome: `state` is one of `STATES`, `advice` says what to do about it.

    `examples` are the first few of what is not well: files, products, models, jobs; `files` are all
    of them, up to 10,000, where they are to be moved one by one. A check leaves `name` empty: the
    list of checks in `services.checking` gives it.
    """

    name: str
    state: str
    sentence: str
    advice: str = ""
    examples: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Tally:
    """How many of something there are, and the first few by name; never a list of millions."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []

    def add(self, name: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(name)


def ok(sentence: str) -> Finding:
    """All is well; `sentence` says what was looked at."""
    return Finding("", OK, sentence)


def note(sentence: str, advice: str, examples: Sequence[str] = ()) -> Finding:
    """Worth knowing, but nothing is broken."""
    return Finding("", NOTE, sentence, advice, tuple(examples[:EXAMPLES]))


def problem(
    sentence: str, advice: str, examples: Sequence[str] = (), *, files: Sequence[str] = ()
) -> Finding:
    """Something is wrong, and `advice` says what to do about it."""
    return Finding("", PROBLEM, sentence, advice, tuple(examples[:EXAMPLES]), tuple(files))
