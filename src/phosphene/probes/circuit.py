"""The smallest set of units that keeps a response, as a question: see `circuits.circuit`."""

from dataclasses import dataclass

from phosphene.circuits import ORDERS, Circuit, circuit, stages
from phosphene.probes import options
from phosphene.probes.question import MADE, Question
from phosphene.probes.subject import Subject


@dataclass(frozen=True)
class Smallest(Question):
    """Find the smallest set of units that keeps what a unit or a class answers to a picture."""

    name, panel = "circuit", MADE
    unit: str = options.unit()
    image: str = options.image()
    layers: tuple[str, ...] = options.layers(())
    keep: float = options.option("number", "The share of the answer to keep, up to 1.", 0.95)
    by: str = options.option(
        "choice", "How units join: greedy, score or random.", "greedy", choices=ORDERS
    )

    def title(self, subject: Subject) -> str:
        """Of what, in which picture."""
        return f"The circuit of {self.unit} in {options.of_picture(self.image)}"

    def rests_on_data(self, subject: Subject) -> bool:
        """Where there are any: they have what is usual of each unit."""
        return subject.has_data

    def ask(self, subject: Subject) -> Circuit:
        """The circuit, of units of the stage below unless layers are named."""
        unit = subject.unit(self.unit)
        return circuit(
            subject.network,
            subject.picture(self.image)[0],
            unit,
            self.layers or stages(subject.network, unit.layer)[:1],
            keep=self.keep,
            order=self.by,
            baseline="mean" if subject.has_data else "zero",
            data=subject.data if subject.has_data else None,
            seed=subject.seed,
        )
