"""The atlas: everything found out about one network, in one file."""

from phosphene.atlas.accepting import accepted
from phosphene.atlas.claims import claim, claimed
from phosphene.atlas.codec import as_kept
from phosphene.atlas.damage import Damage
from phosphene.atlas.excerpt import Excerpt, Reads
from phosphene.atlas.made import UnitEdge
from phosphene.atlas.records import (
    ArrayRecord,
    Correlated,
    Document,
    ExampleRecord,
    Finding,
    ImageRecord,
    Job,
    LayerRecord,
    PartRecord,
    PictureRecord,
    ProbeRecord,
    Skipped,
    UnitRecord,
)
from phosphene.atlas.store import Atlas, JobWriter, job_key
from phosphene.atlas.table import Record
from phosphene.atlas.verdict import Verdict, blaming_damage, drop_damaged, expecting, verify

__all__ = [
    "ArrayRecord",
    "Atlas",
    "Correlated",
    "Damage",
    "Document",
    "ExampleRecord",
    "Excerpt",
    "Finding",
    "ImageRecord",
    "Job",
    "JobWriter",
    "LayerRecord",
    "PartRecord",
    "PictureRecord",
    "ProbeRecord",
    "Reads",
    "Record",
    "Skipped",
    "UnitEdge",
    "UnitRecord",
    "Verdict",
    "accepted",
    "as_kept",
    "blaming_damage",
    "claim",
    "claimed",
    "drop_damaged",
    "expecting",
    "job_key",
    "verify",
]
