"""What a unit is made of in a picture, as a question: see `phosphene.circuits.parts`."""

from dataclasses import dataclass

from phosphene.circuits import Tree, parts
from phosphene.probes import options
from phosphene.probes.question import MADE, Question
from phosphene.probes.subject import Subject


@dataclass(frozen=True)
class Parts(Question):
    """Take a unit or a class apart, in a picture: what it is made of, each part removed to see."""

    name, panel = "parts", MADE
    unit: str = options.unit()
    image: str = options.image()
    layers: tuple[str, ...] = options.layers(())
    most: int = options.option("count", "How many parts of each.", 4, least=1)
    depth: int = options.option("count", "How many stages down.", 2, least=1)

    def title(self, subject: Subject) -> str:
        """Of what, in which picture."""
        return f"What {self.unit} is made of in {options.of_picture(self.image)}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have what is usual of each unit."""
        return subject.has_data

    def ask(self, subject: Subject) -> Tree:
        """The tree."""
        return parts(
            subject.network,
            subject.picture(self.image)[0],
            subject.unit(self.unit),
            self.layers or None,
            k=self.most,
            depth=self.depth,
            data=subject.data if subject.has_data else None,
        )
