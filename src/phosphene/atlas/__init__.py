"""The atlas: everything found out about one network, in one file."""

from phosphene.atlas.codec import quantise
from phosphene.atlas.records import (
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    Job,
    LayerRecord,
    PictureRecord,
    ProbeRecord,
    Record,
    Skipped,
    UnitRecord,
)
from phosphene.atlas.store import Atlas, JobWriter, job_key

__all__ = [
    "Atlas",
    "Document",
    "ExampleRecord",
    "Finding",
    "ImageRecord",
    "Job",
    "JobWriter",
    "LayerRecord",
    "PictureRecord",
    "ProbeRecord",
    "Record",
    "Skipped",
    "UnitRecord",
    "job_key",
    "quantise",
]
