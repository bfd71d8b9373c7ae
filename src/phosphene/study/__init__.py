"""From a network and data to an atlas: jobs, resuming, findings."""

from phosphene.study.build import Progress, build, plan
from phosphene.study.plan import Settings, Study, choose

__all__ = ["Progress", "Settings", "Study", "build", "choose", "plan"]
