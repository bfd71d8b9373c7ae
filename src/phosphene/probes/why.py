"""Why a picture is read as it is, as a question: see `phosphene.circuits.why`."""

from dataclasses import dataclass

from phosphene.circuits import Why, why
from phosphene.probes import options
from phosphene.probes.question import MADE, Question
from phosphene.probes.subject import Subject


@dataclass(frozen=True)
class AskingWhy(Question):
    """Find the strongest ways from a picture's pixels to its class, and what would change it."""

    name, panel = "why", MADE
    image: str = options.image(argument=True)
    answer: str | None = options.option(
        "class", "Why this class. Default: what the picture is read as.", None, flag="--class"
    )
    instead: str | None = options.option(
        "class", "Why not this one: all is about the lead over it.", None, flag="--not"
    )
    layers: tuple[str, ...] = options.layers(())
    ways: int = options.option("count", "How many ways.", 6, least=1)
    depth: int = options.option("count", "How many stages down.", 3, least=1)

    def title(self, subject: Subject) -> str:
        """Of which picture, and which class."""
        read = "is read as it is" if self.answer is None else f"is read as {self.answer}"
        rival = "" if self.instead is None else f" and not as {self.instead}"
        return f"Why {options.of_picture(self.image)} {read}{rival}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have what is usual of each unit."""
        return subject.has_data

    def ask(self, subject: Subject) -> Why:
        """The ways, and what flips the answer."""
        return why(
            subject.network,
            subject.picture(self.image)[0],
            None if self.answer is None else subject.unit(self.answer).index,
            None if self.instead is None else subject.unit(self.instead).index,
            self.layers or None,
            k=self.ways,
            depth=self.depth,
            data=subject.data if subject.has_data else None,
        )
