"""What computes the jobs of a study: this process, processes of this machine, a Ray cluster."""

from phosphene.study.engines.engine import Engine
from phosphene.study.engines.here import Here
from phosphene.study.engines.named import engine_of
from phosphene.study.engines.processes import Processes

__all__ = ["Engine", "Here", "Processes", "engine_of"]
