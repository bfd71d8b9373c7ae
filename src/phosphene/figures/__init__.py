"""Atlases as pictures: the static site, standalone sheets, and the palette they share."""

from phosphene.figures.charts import class_profile, confusion_table, histogram
from phosphene.figures.crops import crop
from phosphene.figures.palette import on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.png import data_uri, png_bytes
from phosphene.figures.sheet import layer_sheet, unit_sheet
from phosphene.figures.site import export_site

__all__ = [
    "class_profile",
    "confusion_table",
    "crop",
    "data_uri",
    "export_site",
    "histogram",
    "layer_sheet",
    "on_paper",
    "picture_to_image",
    "png_bytes",
    "signed_to_rgba",
    "unit_sheet",
]
