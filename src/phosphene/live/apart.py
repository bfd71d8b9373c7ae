"""The drawing of a tree of parts, as the page shows it."""

from phosphene.circuits import Tree
from phosphene.figures.site.trees import tree_context
from phosphene.live.exhibits import Exhibit
from phosphene.live.gallery import TEMPLATES, Gallery
from phosphene.live.served import Served


def tree_drawing(gallery: Gallery, exhibit: Exhibit, tree: Tree) -> str:
    """A tree as SVG with the pictures of its units, which lead to their pages."""
    with exhibit.pages(Served(exhibit.name, gallery.images)) as pages:
        told = {"tree": tree_context(pages.view, tree.to_json()), "title": tree.summary}
        return pages.other(TEMPLATES, "apart.html", told)
