"""What a unit is a part of, as a question: see `phosphene.circuits.wholes`."""

from dataclasses import dataclass

from phosphene.circuits import Wholes, wholes
from phosphene.probes import options
from phosphene.probes.question import MADE, Question
from phosphene.probes.subject import Subject


@dataclass(frozen=True)
class WholesOf(Question):
    """Tell which later units and classes change most in a picture when a unit is removed."""

    name, panel = "wholes", MADE
    unit: str = options.unit()
    image: str = options.image()
    layers: tuple[str, ...] = options.layers(())
    most: int = options.option("count", "How many of each layer.", 6, least=1)

    def title(self, subject: Subject) -> str:
        """Of what, in which picture."""
        return f"What {self.unit} is a part of in {options.of_picture(self.image)}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have what is usual of each unit."""
        return subject.has_data

    def ask(self, subject: Subject) -> Wholes:
        """All that it feeds, measured."""
        return wholes(
            subject.network,
            subject.picture(self.image)[0],
            subject.unit(self.unit),
            self.layers or None,
            k=self.most,
            data=subject.data if subject.has_data else None,
        )
