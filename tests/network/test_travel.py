"""Networks that travel: to another process, into a copy, and from the value that tells how."""

import copy
import json
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import pytest
import torch
from torch import Tensor

import tiny
from phosphene.errors import SpecError
from phosphene.network import Input, Network, Spec, frozen, load_network

pytestmark = pytest.mark.slow  # a process for each

MODEL = """
    from torch import nn
    from beside import Doubled

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 3, 5)
            self.twice = Doubled()
            self.fc = nn.Linear(3, 4)

        def forward(self, x):
            return self.fc(self.twice(self.conv(x).relu()).mean((2, 3)))

    def make():
        return Net()

    def imported():
        return nn.Sequential(nn.Conv2d(1, 3, 5), Doubled())
"""

BESIDE = """
    from torch import nn

    class Doubled(nn.Module):
        def forward(self, x):
            return 2 * x
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "model.py").write_text(textwrap.dedent(MODEL))
    (tmp_path / "beside.py").write_text(textwrap.dedent(BESIDE))
    return tmp_path


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[ProcessPoolExecutor]:
    """Another process that has imported nothing of this one's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


def answers(pickled: bytes, pictures: Tensor, layer: str) -> tuple[str, str, list[float]]:
    network = pickle.loads(pickled)
    values = network.record(pictures, [layer])[layer]
    return network.fingerprint, repr(network), values.flatten().tolist()


def test_a_network_from_a_file_answers_the_same_in_another_process(
    folder: Path, elsewhere: ProcessPoolExecutor
) -> None:
    for factory, layer in (("make", "fc"), ("imported", "1")):
        network = load_network(f"{folder / 'model.py'}:{factory}", input=Input(1, (12, 12)))
        pictures = tiny.pictures(network)
        there = elsewhere.submit(answers, pickle.dumps(network), pictures, layer).result()
        assert there == answers(pickle.dumps(network), pictures, layer)
        assert there[0] == network.fingerprint
        values = network.record(pictures, [layer])[layer]
        assert there[2] == values.flatten().tolist()


def test_a_network_of_a_package_answers_the_same_in_another_process(
    elsewhere: ProcessPoolExecutor,
) -> None:
    network = load_network("phosphene.zoo:HVASS")
    network.layers  # noqa: B018 - what is known of it travels
    pictures = tiny.pictures(network)
    there = elsewhere.submit(answers, pickle.dumps(network), pictures, "conv1").result()
    assert there == answers(pickle.dumps(network), pictures, "conv1")


SENDS = """
    import pickle
    import sys
    from multiprocessing import get_context
    from pathlib import Path
    import torch  # the first module that has it is asked for torch's own constants
    from phosphene.network import load_network

    def send():
        network = load_network("phosphene.zoo:HVASS")
        network.layers
        Path("network.pickle").write_bytes(pickle.dumps(network))

    if __name__ == "__main__":
        process = get_context("spawn").Process(target=send)
        process.start()
        process.join()
"""


def test_what_a_process_of_a_script_sends_can_be_read_without_the_script(folder: Path) -> None:
    (folder / "script.py").write_text(textwrap.dedent(SENDS))
    subprocess.run([sys.executable, "script.py"], cwd=folder, check=True)
    network = pickle.loads((folder / "network.pickle").read_bytes())
    pictures = tiny.pictures(network)
    assert torch.equal(network.class_scores(pictures), network.module(pictures))


def test_a_file_that_has_changed_is_not_taken_for_the_one_it_was(
    folder: Path, elsewhere: ProcessPoolExecutor
) -> None:
    network = load_network(f"{folder / 'model.py'}:make", input=Input(1, (12, 12)))
    pictures, pickled = tiny.pictures(network), pickle.dumps(network)
    text = (folder / "model.py").read_text()
    (folder / "model.py").write_text(text.replace("relu()", "tanh()"))
    with pytest.raises(SpecError, match="has changed since the network was made of it"):
        elsewhere.submit(answers, pickled, pictures, "fc").result()
    changed = load_network(f"{folder / 'model.py'}:make", input=Input(1, (12, 12)))
    changed.module.load_state_dict(network.module.state_dict())
    assert not torch.equal(changed.class_scores(pictures), network.class_scores(pictures))
    assert pickle.loads(pickled).fingerprint == network.fingerprint  # this process knows both


def test_a_network_that_is_in_use_can_be_copied() -> None:
    network = tiny.network("residual")
    pictures = tiny.pictures(network)
    network.fields  # noqa: B018 - measured
    with frozen(network.module):
        copies = [copy.deepcopy(network), copy.copy(network), pickle.loads(pickle.dumps(network))]
    for other in copies:
        assert torch.equal(other.class_scores(pictures), network.class_scores(pictures))
        assert other.fields == network.fields
        assert other.fingerprint == network.fingerprint
    done: list[Tensor] = []
    with frozen(network.module):  # a copy has its own turn
        thread = Thread(target=lambda: done.append(copies[0].class_scores(pictures)))
        thread.start()
        thread.join(10)
    assert len(done) == 1


def test_a_network_keeps_how_it_was_made(folder: Path) -> None:
    network = load_network(f"{folder / 'model.py'}:make", input=Input(1, (12, 12)))
    torch.save(network.module.state_dict(), folder / "w.pt")
    told = load_network(
        f"{folder / 'model.py'}:make",
        folder / "w.pt",
        Input(1, (12, 12), mean=0.5),
        labels="abcd",
        task="sigmoid",
    )
    assert told.spec is not None
    spec = Spec.from_json(json.loads(json.dumps(told.spec.to_json())))
    assert spec == told.spec
    again = load_network(spec)
    assert (again.fingerprint, again.classes, again.task) == (
        told.fingerprint,
        (*"abcd",),
        "sigmoid",
    )
    assert load_network(spec, labels="efgh").classes == (*"efgh",)
    assert again.read_as("softmax").spec == Spec(**(vars(spec) | {"task": "softmax"}))
    seen = told.with_lens("sum", of="fc", directions=torch.ones(1, 4))
    assert seen.spec is not None
    assert load_network(seen.spec).fingerprint == seen.fingerprint != told.fingerprint
    assert Network(network.module, network.input).spec is None
