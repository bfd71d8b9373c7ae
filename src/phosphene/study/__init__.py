"""From a network and data to an atlas: jobs, resuming, findings, and what probes found."""

from phosphene.study.build import Progress, build, plan
from phosphene.study.plan import CHANNELS, NEURONS, Settings, Study, choose
from phosphene.study.probing import keep_probe

__all__ = [
    "CHANNELS",
    "NEURONS",
    "Progress",
    "Settings",
    "Study",
    "build",
    "choose",
    "keep_probe",
    "plan",
]
