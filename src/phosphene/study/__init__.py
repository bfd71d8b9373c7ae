"""From a network and data to an atlas: jobs, resuming, findings, and what probes found."""

from phosphene.study.asking import Kept, ask, keep
from phosphene.study.budget import within
from phosphene.study.building import BuildStep, build
from phosphene.study.merging import Merged, merge
from phosphene.study.order import plan
from phosphene.study.plan import CHANNELS, NEURONS, Settings, Study, choose
from phosphene.study.pricing import Price, price
from phosphene.study.probing import keep_probe
from phosphene.study.promise import Promise
from phosphene.study.vocabulary import Vocabulary, agree, decided

__all__ = [
    "CHANNELS",
    "NEURONS",
    "BuildStep",
    "Kept",
    "Merged",
    "Price",
    "Promise",
    "Settings",
    "Study",
    "Vocabulary",
    "agree",
    "ask",
    "build",
    "choose",
    "decided",
    "keep",
    "keep_probe",
    "merge",
    "plan",
    "price",
    "within",
]
