"""How a network's output is read: which layer has the classes, what they are called and mean."""

from dataclasses import replace

from phosphene.errors import NetworkError, UnknownUnitError
from phosphene.naming import as_number, class_called, nearest_class, numbers_of
from phosphene.network.discovery.logits import Reading, Unread
from phosphene.network.examined import Examined
from phosphene.network.turns import once
from phosphene.tasks import Task
from phosphene.units import Unit
from phosphene.words import class_name


class Outputs(Examined):
    """The part of a `Network` that tells what its outputs mean, and units by class or address."""

    @property
    def undecided(self) -> bool:
        """Whether its only output is one score that may tell two classes apart, or be a measure."""
        reading = self._known.reading
        return isinstance(reading, Unread) and reading.layer is not None

    @property
    def task(self) -> Task:
        """What the outputs mean: "softmax", "sigmoid", "binary" or "none"."""
        return self.reading.task if self.classifies else "none"

    @property
    def classifies(self) -> bool:
        """Whether some output is read as classes."""
        return isinstance(self._known.reading, Reading)

    @once
    def classes(self) -> tuple[str, ...]:
        """The labels, or "0", "1", … where none were given.

        One label for a network that tells two classes apart names the second of them.

        Raises:
            NetworkError: as many labels as classes are expected.
        """
        count = self.layers[self.reading.layer].units
        if self.task == "binary" and len(self.labels) == 1:
            return (f"not {self.labels[0]}", self.labels[0])
        if self.labels and len(self.labels) != count:
            raise NetworkError(
                f"{len(self.labels)} labels were given for {count} classes of {self.name}, "
                f"the units of its layer {self.logits.name}; give as many, in the order of the "
                "outputs, or say which output has the classes: output=, on the command line "
                "--output"
            )
        return self.labels or tuple(str(i) for i in range(count))

    def unit(self, named: object) -> Unit:
        """The unit meant by a `Unit`, a text such as `conv2:17`, or a class's name or number.

        `<logits>:3` is unit 3 of whichever layer has the classes: one unit has one name.

        Raises:
            UnknownLayerError, UnknownUnitError: there is none, with the nearest names.
        """
        number = as_number(named)
        if number is not None:
            return self._numbered(number)
        if isinstance(named, str) and ":" not in named:
            return self._class_unit(named)
        unit = Unit.of(named)
        layer = self.layer(unit.layer)
        layer.check(unit)
        return replace(unit, layer=layer.name)

    def called(self, unit: Unit) -> str:
        """What people call a unit: its class if it is one, else its address."""
        if self.classifies and self.layer(unit.layer).name == self.logits.name:
            return f"class {class_name(self.classes, unit.index)}"
        return str(unit)

    def _numbered(self, number: int) -> Unit:
        count = len(self.classes) if self.classifies else 0
        if not 0 <= number < count:
            known = f"has classes 0 to {count - 1}" if count else "has no classes"
            raise UnknownUnitError(
                f"a number alone is a class, and {self.name} {known}; {number} was asked for. "
                f"A unit of a layer is written layer:number, such as conv2:{max(number, 0)}"
            )
        return Unit(self.logits.name, number)

    def _class_unit(self, name: str) -> Unit:
        classes = self.classes if self.classifies else ()
        if name in self.layers and not numbers_of(name, classes):
            units = self.layers[name].units
            raise UnknownUnitError(
                f"{name!r} is a layer, with units 0 to {units - 1}; write one as {name}:0"
            )
        found = class_called(name, classes)
        if found is not None:
            return Unit(self.logits.name, found)
        raise UnknownUnitError(
            f"{name!r} is neither a unit, written layer:number such as conv2:17, nor a class of "
            f"{self.name}; {nearest_class(name, classes, tuple(self.layers))}"
        )
