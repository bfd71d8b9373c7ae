"""Many callers: what one thread asks of a network is not changed by what another one asks."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import tiny
from phosphene.attribution import deconvnet, gradient, guided
from phosphene.canvas import Pixels
from phosphene.data import Batch
from phosphene.maximize import Optimizer, Recipe, ascend, draw
from phosphene.network import Network, frozen, replace, turns
from phosphene.network.tapping import _Stop
from phosphene.network.turns import turn, urgent
from phosphene.objectives import Channel
from phosphene.probes import ablate
from phosphene.streams import Streams
from phosphene.units import Unit

Asked = Callable[[Network, Tensor], Any]


def labelled(pictures: Tensor) -> Batch:
    numbers = torch.arange(len(pictures))
    return Batch(numbers, pictures, numbers, ())


def without_conv1(network: Network, pictures: Tensor) -> Tensor:
    with replace(network.module, network.layer("conv1"), torch.zeros_like):
        return network.class_scores(pictures)


def drawn(network: Network) -> Tensor:
    recipe = Recipe(aim="neuron", canvas=Pixels(), steps=1)
    (drawing,) = draw(network, [Unit("conv2", 1)], recipe)
    return drawing.picture


QUESTIONS: dict[str, Asked] = {
    "conv1": lambda n, x: n.record(x, ["conv1"])["conv1"],
    "conv2 and fc1": lambda n, x: n.record(x, ["fc1", "conv2"])["fc1"],
    "a rectifier's last call": lambda n, x: n.record(x, ["rectify@2"])["rectify@2"],
    "guided": lambda n, x: guided(n, x, Channel("conv2", 1)),
    "deconvnet": lambda n, x: deconvnet(n, x, Channel("fc1", 2)),
    "gradient": lambda n, x: gradient(n, x, Channel("fc2", 3)),
    "probabilities": lambda n, x: n.probabilities(x),
    "replaced": without_conv1,
    "draw": lambda n, x: drawn(n),
    "ablation": lambda n, x: ablate(n, "fc1", [labelled(x)], [(0,), (1, 2)]).right_without,
}


@pytest.fixture
def eager() -> Iterator[None]:
    """Threads that take turns of a hundredth of the usual time, so that they meet anywhere."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 100)
    yield
    sys.setswitchinterval(usual)


def rectified() -> Network:
    return tiny.rectified(nn.ReLU())


@pytest.mark.parametrize("calls", [50, pytest.param(1000, marks=pytest.mark.slow)])
def test_two_threads_find_what_one_does(calls: int, eager: None) -> None:
    network = rectified()
    pictures = tiny.pictures(network)
    expected = {name: ask(network, pictures) for name, ask in QUESTIONS.items()}
    other = Network(network.module, network.input)  # a second record of the same module
    start = Barrier(2)

    def call(network: Network, step: int) -> list[str]:
        names = list(QUESTIONS)
        start.wait()
        wrong = []
        for i in range(calls):
            name = names[(i * step) % len(names)]
            if not torch.equal(QUESTIONS[name](network, pictures), expected[name]):
                wrong.append(name)
        return wrong

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(call, network, 3), pool.submit(call, other, 7)]
    assert [found.result() for found in both] == [[], []]
    assert network.module.training
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.module.modules())


def test_the_first_look_is_taken_once_and_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    network = rectified()
    looks = []
    known = type(network)._known
    monkeypatch.setattr(known, "work", lambda n, work=known.work: (looks.append(n), work(n))[1])
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: network.layers, range(4)))
    assert len(looks) == 1
    assert all(layers is seen[0] for layers in seen)


def meanwhile(work: Callable[[], object], seconds: float = 10) -> bool:
    """Whether another thread gets through `work` while this one waits."""
    done = Event()
    Thread(target=lambda: (work(), done.set()), daemon=True).start()
    return done.wait(seconds)


@pytest.mark.later
def test_others_wait_until_a_block_ends() -> None:
    network = rectified()
    pictures = tiny.pictures(network)
    network.layers  # noqa: B018 - runs the network
    done = Event()
    with frozen(network.module):
        thread = Thread(target=lambda: (network.record(pictures, ["conv1"]), done.set()))
        thread.start()
        assert not done.wait(0.1)
    thread.join(10)
    assert done.is_set()


def test_a_call_inside_a_call_goes_on() -> None:
    network = rectified()
    pictures = tiny.pictures(network)
    expected = network.record(pictures, ["conv1"])["conv1"]
    with turn(network.module), frozen(network.module):
        assert torch.equal(network.record(pictures, ["conv1"])["conv1"], expected)


def test_no_step_of_an_ascent_keeps_the_turn() -> None:
    network = rectified()
    pictures = tiny.pictures(network)
    units = [Unit("conv2", 0)]
    streams = Streams.seeded(0, units)
    canvas = Pixels().build(streams, network.input.shape)
    steps = ascend(network, Channel("conv2", 0), canvas, streams, steps=2, optimizer=Optimizer())
    for _ in steps:
        assert meanwhile(lambda: network.record(pictures, ["fc2"]))


def test_a_thread_that_fails_gives_its_turn_back() -> None:
    network = rectified()

    def fail(values: Tensor) -> Tensor:
        raise RuntimeError("on purpose")

    def failing() -> None:
        with (
            pytest.raises(RuntimeError, match="on purpose"),
            replace(network.module, "conv1", fail),
        ):
            network.module(tiny.pictures(network))

    assert meanwhile(failing)
    assert meanwhile(lambda: network.record(tiny.pictures(network), ["conv1"]))


@pytest.mark.later
def test_parts_share_the_turn_of_the_whole_whichever_came_first() -> None:
    for first in ("0", "whole", "both parts"):
        whole = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU())
        met = {"0": [whole[0]], "whole": [whole], "both parts": [whole[0], whole[1]]}[first]
        for part in met:
            enter(part)
        with turn(whole):
            for part in whole:
                assert not meanwhile(lambda part=part: enter(part), 0.05), first


def enter(module: nn.Module) -> None:
    with turn(module):
        pass


def test_modules_with_nothing_in_common_do_not_wait_for_each_other() -> None:
    one, other = rectified(), rectified()
    with frozen(one.module):
        assert meanwhile(lambda: other.record(tiny.pictures(other), ["fc2"]))


def test_a_pass_does_not_end_at_the_stop_of_another() -> None:
    network = rectified()
    stop = _Stop()

    def leave(values: Tensor) -> Tensor:
        raise stop

    with pytest.raises(_Stop) as met, replace(network.module, "conv1", leave):
        network.record(tiny.pictures(network), ["fc2"])
    assert met.value is stop


@pytest.mark.later
def test_turns_do_not_keep_a_network_alive() -> None:
    from phosphene.network.turns import _TURNS

    network = rectified()
    network.record(tiny.pictures(network), ["fc2"])
    module = network.module
    assert module in _TURNS
    before = len(_TURNS)
    parts = len(list(module.modules()))
    del network, module
    gc.collect()
    assert len(_TURNS) <= before - parts


class Line:
    """Threads that wait for a module's turn, in a known order, and the order they had it in."""

    def __init__(self, module: nn.Module) -> None:
        self.module, self.had = module, list[str]()
        self.threads: list[Thread] = []

    def join(self, name: str, urgency: int = 0) -> None:
        def wait() -> None:
            with urgent(urgency), turn(self.module):
                self.had.append(name)

        before = len(turn(self.module)._waiting)
        self.threads.append(Thread(target=wait))
        self.threads[-1].start()
        while len(turn(self.module)._waiting) == before:
            time.sleep(0.001)

    def end(self) -> list[str]:
        for thread in self.threads:
            thread.join(10)
        return self.had


def test_the_urgent_are_next_and_of_equals_who_came_first() -> None:
    line = Line(nn.ReLU())
    with turn(line.module):
        for name, urgency in [("a", 0), ("b", 0), ("long", 1), ("desk", 2), ("c", 0), ("pen", 2)]:
            line.join(name, urgency)
    assert line.end() == ["desk", "pen", "long", "a", "b", "c"]


def test_who_takes_a_turn_again_and_again_lets_others_in_between() -> None:
    module, stop, found = nn.ReLU(), Event(), list[int]()
    count = 0

    def job() -> None:
        nonlocal count
        while not stop.is_set():
            with turn(module):
                count += 1
                time.sleep(0.005)

    thread = Thread(target=job)
    thread.start()
    try:
        for _ in range(20):
            before = count
            with turn(module):
                found.append(count - before)
    finally:
        stop.set()
        thread.join(10)
    assert max(found) <= 2  # the pass that was at work, and one that was just about to begin


def test_a_turn_is_given_back_by_who_has_it_alone() -> None:
    module = nn.ReLU()
    with turn(module):
        wrong = []

        def give() -> None:
            try:
                turn(module).__exit__(None, None, None)
            except RuntimeError as error:
                wrong.append(str(error))

        thread = Thread(target=give)
        thread.start()
        thread.join(10)
    assert "by no other" in wrong[0]
    assert meanwhile(lambda: enter(module))


@pytest.mark.parametrize("handed", [False, True])
def test_who_is_called_away_while_waiting_leaves_the_line(
    handed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-C: before the turn was handed over, or just after."""
    module, one = nn.ReLU(), Event()
    held = turn(module)
    thread = Thread(target=lambda: (held.__enter__(), one.wait(10), held.__exit__(*[None] * 3)))
    thread.start()
    while held._owner is None:
        time.sleep(0.001)

    class Gate:
        def __init__(self) -> None:
            self.closed = False

        def acquire(self) -> None:
            if self.closed:
                if handed:
                    one.set()
                    thread.join(10)
                raise KeyboardInterrupt
            self.closed = True

        def release(self) -> None:
            pass

    monkeypatch.setattr(turns, "Lock", Gate)
    with pytest.raises(KeyboardInterrupt):
        enter(module)
    monkeypatch.undo()
    one.set()
    thread.join(10)
    assert held._waiting == []
    assert meanwhile(lambda: enter(module))


def test_who_is_not_urgent_holds_back_while_urgent_work_is_done() -> None:
    one, other, order = nn.ReLU(), nn.ReLU(), list[str]()

    def job() -> None:
        enter(one)
        order.append("job")

    with urgent(), turn(other):
        thread = Thread(target=job)
        thread.start()
        time.sleep(0.05)
        order.append("desk")
    thread.join(10)
    assert order == ["desk", "job"]


def test_nobody_holds_back_for_ever_nor_inside_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = nn.ReLU(), nn.ReLU()
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with urgent():
        assert meanwhile(lambda: enter(one))
    monkeypatch.setattr(turns, "PATIENCE", 5.0)
    inside, go = Event(), Event()

    def job() -> None:
        with turn(one):
            inside.set()
            go.wait(10)
            enter(other)

    thread = Thread(target=job)
    thread.start()
    inside.wait(10)
    started = time.monotonic()
    with urgent():
        go.set()
        thread.join(4)
        assert not thread.is_alive()
    assert time.monotonic() - started < 4
