"""Atlases as pictures: the static site, standalone sheets, and the palette they share."""

from phosphene.figures.ink.charts import class_profile, confusion_table, histogram
from phosphene.figures.ink.crops import crop
from phosphene.figures.ink.palette import on_paper, picture_to_image, signed_to_rgba
from phosphene.figures.ink.png import data_uri, png_bytes
from phosphene.figures.sheets.attributions import attributions_sheet
from phosphene.figures.sheets.confusion import confusion_sheet
from phosphene.figures.sheets.detectors import dissection_sheet
from phosphene.figures.sheets.distances import distances_sheet
from phosphene.figures.sheets.filters import filters_sheet, weights_sheet
from phosphene.figures.sheets.flip_charts import flips_sheet
from phosphene.figures.sheets.inventory import ablation_sheet, comparison_sheet, units_sheet
from phosphene.figures.sheets.pictures import drawings_sheet, mosaic_sheet, pictures_sheet
from phosphene.figures.sheets.probe_charts import move_sheet, transfer_sheet
from phosphene.figures.sheets.probes import (
    film_sheet,
    imagined_sheet,
    restarts_sheet,
    strokes_sheet,
)
from phosphene.figures.sheets.readings import drawing_sheet, message_sheet, misread_sheet
from phosphene.figures.sheets.recipes import (
    caricature_sheet,
    classes_sheet,
    dream_sheet,
    facets_sheet,
    interpolation_sheet,
    inversion_sheet,
    pictured_sheet,
)
from phosphene.figures.sheets.study import layer_sheet, unit_sheet
from phosphene.figures.sheets.training import training_sheet
from phosphene.figures.site.export import export_site

__all__ = [
    "ablation_sheet",
    "attributions_sheet",
    "caricature_sheet",
    "class_profile",
    "classes_sheet",
    "comparison_sheet",
    "confusion_sheet",
    "confusion_table",
    "crop",
    "data_uri",
    "dissection_sheet",
    "distances_sheet",
    "drawing_sheet",
    "drawings_sheet",
    "dream_sheet",
    "export_site",
    "facets_sheet",
    "film_sheet",
    "filters_sheet",
    "flips_sheet",
    "histogram",
    "imagined_sheet",
    "interpolation_sheet",
    "inversion_sheet",
    "layer_sheet",
    "message_sheet",
    "misread_sheet",
    "mosaic_sheet",
    "move_sheet",
    "on_paper",
    "picture_to_image",
    "pictured_sheet",
    "pictures_sheet",
    "png_bytes",
    "restarts_sheet",
    "signed_to_rgba",
    "strokes_sheet",
    "training_sheet",
    "transfer_sheet",
    "unit_sheet",
    "units_sheet",
    "weights_sheet",
]
