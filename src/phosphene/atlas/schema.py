"""The tables of an atlas file: plain names, strict types, JSON where a value has parts.

Every artefact names the job that made it and goes when that job goes. Images and skipped files
are keyed by job as well: several jobs may refer to one image, and none must lose it when another
is run again. References are checked at the end of a transaction, where a job writes its own row.

Since format 3 every row carries the checksum of what was written; rows from before have none.
"""

from phosphene.atlas.checksums import CHECKSUM

APPLICATION_ID = 0x5048_4F53  # "PHOS", at byte 68 of every atlas file
SCHEMA_VERSION = 3

_JOB = "job TEXT NOT NULL REFERENCES jobs (key) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"

PROBES = f"""
CREATE TABLE probes (
  {_JOB},
  name TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  figures TEXT NOT NULL,
  sheet BLOB NOT NULL
) STRICT;

CREATE INDEX probes_of_job ON probes (job);
"""

TABLES = (
    "jobs",
    "documents",
    "layers",
    "units",
    "images",
    "examples",
    "pictures",
    "findings",
    "skipped",
    "probes",
)

UNCHECKED = """
CREATE TABLE unchecked (
  name TEXT PRIMARY KEY,
  last INTEGER NOT NULL
) STRICT;
"""
"""Up to which row each table is from before there were checksums; empty in an atlas begun since.

Without it a row whose end was lost would pass for an early one.
"""

CHECKSUMS = UNCHECKED + "".join(
    f"ALTER TABLE {table} ADD COLUMN {CHECKSUM} INTEGER;\n"
    f"INSERT INTO unchecked SELECT '{table}', max(rowid) FROM {table} HAVING count(*) > 0;\n"
    for table in TABLES
)

UPGRADES = {1: PROBES, 2: CHECKSUMS}
"""What an atlas of each earlier version lacks to be one of the next."""

CLAIMS = """
CREATE TABLE claims (
  key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  owner TEXT NOT NULL,
  until REAL NOT NULL
) STRICT;
"""
"""Who is at which job, and until when that holds unless it is said again: none when closed."""

ADDED = {
    ("layers", "layout"): "ALTER TABLE layers ADD COLUMN layout TEXT;\n",
    ("layers", "multiply_adds"): "ALTER TABLE layers ADD COLUMN multiply_adds INTEGER;\n",
    ("layers", "field_bound"): "ALTER TABLE layers ADD COLUMN field_bound TEXT;\n",
    ("pictures", "alpha"): "ALTER TABLE pictures ADD COLUMN alpha BLOB;\n",
    ("claims", "key"): CLAIMS,
}
"""Columns and tables that came later and may be empty, with what adds them.

They make no new version: who does not know them reads the others, and where they are missing they
count as empty.
"""

SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};

CREATE TABLE jobs (
  key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  title TEXT NOT NULL,
  params TEXT NOT NULL,
  seed INTEGER,
  version TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('done', 'failed')),
  seconds REAL NOT NULL,
  finished TEXT NOT NULL,
  error TEXT
) STRICT;

CREATE TABLE documents (
  {_JOB},
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT;

CREATE TABLE layers (
  {_JOB},
  name TEXT PRIMARY KEY,
  position INTEGER NOT NULL,
  kind TEXT NOT NULL,
  shape TEXT NOT NULL,
  units INTEGER NOT NULL,
  field TEXT,
  field_whole INTEGER NOT NULL,
  is_default INTEGER NOT NULL
) STRICT;

CREATE TABLE units (
  {_JOB},
  layer TEXT NOT NULL,
  unit INTEGER NOT NULL,
  firing_rate REAL NOT NULL,
  mean REAL NOT NULL,
  deviation REAL NOT NULL,
  maximum REAL NOT NULL,
  histogram_counts TEXT NOT NULL,
  histogram_low REAL NOT NULL,
  histogram_width REAL NOT NULL,
  class_means TEXT NOT NULL,
  preferred_class INTEGER,
  selectivity REAL,
  twin INTEGER,
  twin_correlation REAL,
  weights BLOB,
  PRIMARY KEY (layer, unit)
) STRICT;

CREATE TABLE images (
  {_JOB},
  image INTEGER NOT NULL,
  label INTEGER,
  predicted INTEGER,
  probability REAL,
  picture BLOB NOT NULL,
  PRIMARY KEY (image, job) ON CONFLICT REPLACE
) STRICT;

CREATE TABLE examples (
  {_JOB},
  layer TEXT NOT NULL,
  unit INTEGER NOT NULL,
  rank INTEGER NOT NULL,
  image INTEGER NOT NULL,
  value REAL NOT NULL,
  y INTEGER,
  x INTEGER,
  box TEXT NOT NULL,
  guided BLOB NOT NULL,
  PRIMARY KEY (layer, unit, rank)
) STRICT;

CREATE TABLE pictures (
  {_JOB},
  layer TEXT NOT NULL,
  unit INTEGER NOT NULL,
  kind TEXT NOT NULL,
  canvas TEXT NOT NULL,
  picture BLOB NOT NULL,
  activation REAL NOT NULL,
  strongest_real REAL,
  silent INTEGER NOT NULL,
  settings TEXT NOT NULL,
  attempts TEXT NOT NULL,
  PRIMARY KEY (layer, unit, kind, canvas)
) STRICT;

CREATE TABLE findings (
  {_JOB},
  position INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  text TEXT NOT NULL,
  figures TEXT NOT NULL
) STRICT;

CREATE TABLE skipped (
  {_JOB},
  path TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (path, job) ON CONFLICT REPLACE
) STRICT;

CREATE INDEX documents_of_job ON documents (job);
CREATE INDEX layers_of_job ON layers (job);
CREATE INDEX units_of_job ON units (job);
CREATE INDEX images_of_job ON images (job);
CREATE INDEX examples_of_job ON examples (job);
CREATE INDEX pictures_of_job ON pictures (job);
CREATE INDEX findings_of_job ON findings (job);
CREATE INDEX skipped_of_job ON skipped (job);
{PROBES}
{CHECKSUMS}{"".join(ADDED.values())}"""
"""The primary keys that begin with `(layer, unit)` are the indexes readers need."""


def statements(script: str) -> list[str]:
    """The statements of a script, one by one, for a transaction that is open."""
    return [statement for part in script.split(";\n") if (statement := part.strip())]
