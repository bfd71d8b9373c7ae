"""What commands print while a network is trained or studied."""

from collections.abc import Iterable

from rich.markup import escape

from phosphene.cli.output import errors, say
from phosphene.network import Network
from phosphene.progress import tell, telling
from phosphene.study import Study
from phosphene.training import TrainingStep
from phosphene.words import number, percent


def follow_training(steps: Iterable[TrainingStep], total: int) -> int:
    """Show a training as it goes, with a running loss and accuracy; how many steps were made."""
    made, loss, accuracy = 0, float("nan"), float("nan")
    with telling("training"):
        for step in steps:
            made += 1
            loss = step.loss if made == 1 else 0.98 * loss + 0.02 * step.loss
            accuracy = step.accuracy if made == 1 else 0.98 * accuracy + 0.02 * step.accuracy
            if step.index % 20 == 0 or step.index == total:
                told = f"loss {number(loss)}, accuracy {percent(accuracy, 2)}"
                tell(step.index, total, told)
            if step.validation is not None:
                errors.print(f"step {step.index:,}: {percent(step.validation, 2)} of validation")
        if not made:
            tell(total, total, "already done")
    return made


def tell_reading(study: Study) -> None:
    """What was taken for the classes, where that had to be found or assumed."""
    network = study.network
    told = str(network.reading) if network.classifies else network.unread
    if network.classifies and network.reading.how == "assumed":
        told += f"; {' or '.join(f'--task {task}' for task in _others(network))} if not"
    for sentence in (*network.remarks, told, study.vocabulary.words):
        if sentence:
            say(f"• {escape(sentence)}.")


def _others(network: Network) -> list[str]:
    """What raw scores may mean besides what was assumed."""
    return ["sigmoid", "none"] if network.task == "softmax" else ["none"]
