"""From a network and data to an atlas: jobs, resuming, findings."""

from phosphene.study.build import Progress, build, plan
from phosphene.study.plan import CHANNELS, NEURONS, Settings, Study, choose

__all__ = ["CHANNELS", "NEURONS", "Progress", "Settings", "Study", "build", "choose", "plan"]
