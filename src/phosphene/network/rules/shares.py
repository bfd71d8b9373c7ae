"""Operations of which value times derivative is all of the outcome, so that relevance adds up.

Where y = Σᵢ aᵢxᵢ and no aᵢ follows the picture, or is held as it is, Σᵢ xᵢ·∂y/∂xᵢ = y.
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from phosphene.network.rules.switches import graph, kind_of

_SHARES = """
add sub neg sum mean cumsum replaced relu leakyrelu avgpool1d avgpool2d avgpool3d
adaptiveavgpool1d adaptiveavgpool2d adaptiveavgpool3d maxpool2d maxpool2dwithindices
maxpool3dwithindices adaptivemaxpool2d adaptivemaxpool3d amax view unsafeview reshapealias alias
asstrided expand permute transpose t squeeze unsqueeze select slice split splitwithsizes unbind
cat stack clone copy tocopy contiguous index indexselect gather constantpadnd reflectionpad2d
replicationpad2d upsamplenearest2d upsamplebilinear2d torch::autograd::accumulategrad
torch::autograd::copybackwards
"""

SHARES = frozenset(_SHARES.split())
"""Sums and choices among values, by the names of `kind_of`."""

NORMS = frozenset({"nativebatchnorm", "cudnnbatchnorm", "miopenbatchnorm"})
"""Scaled by what was learned; the shift keeps its share, as a bias does."""

_MATRICES = """
convolution addmm mm bmm baddbmm mv scaleddotproductflashattention
scaleddotproductflashattentionforcpu scaleddotproductefficientattention
scaleddotproductcudnnattention
"""

MATRICES = frozenset(_MATRICES.split())
"""Products of a matrix and a value."""


def unshared(
    values: Iterable[Tensor],
    pictures: Tensor,
    shares: frozenset[str],
    products: frozenset[str] = frozenset(),
) -> str | None:
    """What between `pictures` and `values` is neither of `shares` nor a product with constants.

    In words, for the refusal; None for nothing. `products` are let through beside scalings, each
    only if one of its factors follows the picture and the rest is held.
    """
    for node in graph(values, pictures):
        if kind_of(node) not in shares and not _scales(node, products):
            return (
                "shares what a sum is made of among its terms, and the graph of this network has "
                f"{node.name()!r}, which is no such sum (a batch normalisation can be merged into "
                "the convolution before it: torch.nn.utils.fuse_conv_bn_eval)"
            )
    return None


def _scales(node: Any, products: frozenset[str]) -> bool:
    kind, follow = kind_of(node), [parent is not None for parent, _ in node.next_functions]
    if kind == "div":
        return follow[0] and not any(follow[1:])
    return kind in products | {"mul"} and sum(follow) == 1
