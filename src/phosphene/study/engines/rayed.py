"""Workers on a Ray cluster: an actor for each of its processors, on whichever machine.

Ray places them, notices machines that come and go, and brings the weights to each machine once.
"""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any

from phosphene.errors import SpecError, WorkerError
from phosphene.study.engines import crew
from phosphene.study.engines.crew import Crew
from phosphene.study.engines.hand import Gone, Hand, Message, Up
from phosphene.study.engines.processes import usual_threads
from phosphene.study.engines.travel import packed_parts
from phosphene.study.engines.worker import Pulse, Worker
from phosphene.study.plan import Study


class Rayed(Crew):
    """As many workers as the cluster has processors: graphics cards, for a network that is on one.

    `address` is `ray://HOST:PORT`; without one it is the cluster that RAY_ADDRESS names or that
    runs on this machine, else one of this machine alone, for as long as the build takes. A
    connection that there is already is used and kept.

    Raises:
        SpecError: Ray is not installed.
    """

    def __init__(self, address: str | None = None, threads: int | None = None) -> None:
        super().__init__(threads or usual_threads())
        try:
            self.ray: Any = import_module("ray")
        except ImportError as error:
            raise SpecError(
                "--on ray needs Ray, which is not installed: pip install 'phosphene[ray]', here "
                "and on every machine of the cluster"
            ) from error
        self.address = address
        self._ours = False
        self._sent: Any = None
        self._card = False
        self._wanted, self._counted = 0, float("-inf")

    @property
    def workers(self) -> int:
        """How many there will be is not known before the cluster is asked."""
        return 0

    def __enter__(self) -> "Rayed":
        super().__enter__()
        if self.ray.is_initialized():
            return self
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told of a study
        options = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            self.ray.init(self.address, **options)
        except Exception as error:  # a dozen kinds, by way and version
            super().__exit__(None, None, None)
            where = self.address or "the address that RAY_ADDRESS or `ray start` says"
            raise WorkerError(f"there is no Ray cluster at {where}: {error}") from error
        self._ours = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._sent = None
        if self._ours:
            self.ray.shutdown()
            self._ours = False

    def about(self, study: Study) -> None:
        self._card, self._counted = study.network.device.type == "cuda", float("-inf")
        super().about(study)

    @property
    def wanted(self) -> int:
        """Counted anew now and then, since machines come and go."""
        now = time.monotonic()
        if now > self._counted + crew.BEAT:
            there = self.ray.cluster_resources()
            processors = int(there.get("CPU", 0)) // self.threads
            self._wanted = min(processors, int(there.get("GPU", 0))) if self._card else processors
            self._counted = now
        return self._wanted

    def hire(self) -> Hand:
        return _Actor(self, {"num_gpus": 1} if self._card else {})

    def wait(self, hands: Sequence[Hand], seconds: float) -> None:
        asked = [ref for hand in hands if isinstance(hand, _Actor) for ref in hand.asked]
        if asked:
            self.ray.wait(asked, num_returns=1, timeout=seconds)
        else:
            time.sleep(min(seconds, crew.BEAT / 10))

    def packed(self, study: Study) -> bytes:
        parts = packed_parts(study, self.ray.cloudpickle.dumps)  # it knows what a notebook defines
        self._sent = self.ray.put(parts)
        return parts

    @property
    def sent(self) -> Any:
        """Where Ray keeps the network and the data."""
        return self._sent


class _Actor:
    """One worker on the cluster; what it was asked and has not answered yet."""

    def __init__(self, crew_: Rayed, card: dict[str, int]) -> None:
        self.crew, self.ray = crew_, crew_.ray
        made = self.ray.remote(Worker).options(
            num_cpus=crew_.threads,
            max_concurrency=2,  # a task, and how it goes
            max_restarts=0,
            scheduling_strategy="SPREAD",
            **card,
        )
        self.actor = made.remote(crew_.threads)
        self.up = False
        self.felt = time.monotonic()
        self.pulse: Any = self.actor.pulse.remote()
        self.asked: list[Any] = [self.pulse]

    def join(self, parts: bytes) -> None:
        self.asked.append(self.actor.join.remote(self.crew.sent))

    def start(self, number: int, packed: bytes) -> None:
        self.asked.append(self.actor.run.remote(number, packed))

    def heard(self) -> Sequence[Message]:
        found: list[Message] = []
        ready: list[Any] = []
        if self.asked:
            ready, self.asked = self.ray.wait(self.asked, num_returns=len(self.asked), timeout=0)
        for ref in ready:
            try:
                message = self.ray.get(ref)
            except Exception as error:  # whatever it is: it cannot be worked with
                return [*found, Gone(_first_line(error))]
            if isinstance(message, Pulse) and not self.up:
                self.up, message = True, Up()
            found.append(message)
        if self.pulse not in self.asked and time.monotonic() > self.felt + crew.BEAT:
            self.felt, self.pulse = time.monotonic(), self.actor.pulse.remote()
            self.asked.append(self.pulse)
        return found

    def end(self) -> None:
        with suppress(Exception):  # it may be gone, or the cluster
            self.ray.kill(self.actor, no_restart=True)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
