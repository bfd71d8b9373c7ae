"""Networks set by hand whose circuits are known, to try measures of circuits on; see README.md."""

from planted.judging import Row, Table, judge, overview
from planted.measures import MEASURES, Measure
from planted.networks import ALL
from planted.running import Bench
from planted.truth import Facts, Pair, Planted, Route, Truth, Wrong

__all__ = [
    "ALL",
    "MEASURES",
    "Bench",
    "Facts",
    "Measure",
    "Pair",
    "Planted",
    "Route",
    "Row",
    "Table",
    "Truth",
    "Wrong",
    "judge",
    "overview",
]
