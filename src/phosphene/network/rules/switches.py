"""Find what switches a gradient on and off by its input and is no rectifier that a rule replaced.

The autograd graph between a unit and the pictures is searched. Only operations that are known to
leave the gradient alone (sums, convolutions, norms, poolings, attention, products of two values)
are let through; whatever else there is, a rule could not be applied to. What is known is the list
of PyTorch's own derivatives, read for this question; a new operation is refused until it is read.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import Tensor

from phosphene.network.rules.gates import gates_itself, hides_absolute, joins_rectified
from phosphene.network.rules.masks import IN_PLACE, MASKED, SEEN

_KNOWN = """
add sub rsub neg mul div addcmul addcdiv addmm addmv addr addbmm baddbmm bmm mm mv dot vdot matmul
linear trilinear lerp outer grouped_mm
convolution convolution_overrideable convolution_backward cudnn_convolution
cudnn_convolution_transpose miopen_convolution miopen_convolution_transpose
miopen_depthwise_convolution mkldnn_convolution mkldnn_linear mps_convolution
mps_convolution_transpose nnpack_spatial_convolution conv_depthwise2d conv_depthwise3d conv_tbc
slow_conv2d_forward slow_conv3d_forward slow_conv_dilated2d slow_conv_dilated3d
slow_conv_transpose2d slow_conv_transpose3d
native_batch_norm native_batch_norm_legit native_batch_norm_legit_no_training batch_norm_no_update
batch_norm_with_update cudnn_batch_norm miopen_batch_norm native_layer_norm native_group_norm
fused_rms_norm weight_norm_interface
sum mean var std var_mean std_mean cumsum cumprod prod logsumexp logcumsumexp norm
linalg_vector_norm trace nansum renorm cdist_forward euclidean_dist dist
avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d
max_pool2d max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d
fractional_max_pool2d fractional_max_pool3d mkldnn_max_pool2d mkldnn_max_pool3d
mkldnn_adaptive_avg_pool2d max_unpool2d max_unpool3d
amax amin max min topk sort kthvalue median nanmedian mode cummax cummin aminmax
softmax log_softmax masked_softmax scaled_dot_product_flash_attention
scaled_dot_product_flash_attention_for_cpu scaled_dot_product_efficient_attention
scaled_dot_product_cudnn_attention scaled_dot_product_fused_attention_overrideable
flash_attention_forward efficient_attention_forward cudnn_attention_forward
native_dropout fused_dropout
exp exp2 expm1 log log2 log10 log1p sqrt rsqrt pow reciprocal sigmoid tanh sin cos sinc sinh cosh
atan erf erfc hardsigmoid glu logit square
mkldnn_rnn_layer cudnn_rnn miopen_rnn thnn_fused_gru_cell thnn_fused_lstm_cell lstm_mps
upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_nearest_exact1d
upsample_nearest_exact2d upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d
upsample_bicubic2d upsample_trilinear3d upsample_bilinear2d_aa upsample_bicubic2d_aa
upsample_lanczos2d_aa grid_sampler_2d grid_sampler_3d cudnn_grid_sampler
grid_sampler_2d_cpu_fallback affine_grid_generator cudnn_affine_grid_generator
constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
replication_pad2d replication_pad3d im2col col2im pixel_shuffle pixel_unshuffle channel_shuffle
view unsafe_view reshape_alias reshape_copy alias as_strided expand permute transpose t squeeze
unsqueeze flatten select slice split split_with_sizes unsafe_split unsafe_split_with_sizes chunk
unbind unfold diagonal diag_embed diagonal_scatter narrow_copy select_scatter slice_scatter
as_strided_scatter cat stack block_diag repeat roll flip rot90 tril triu movedim contiguous
index index_select index_add index_copy index_put index_put_impl unsafe_index unsafe_index_put
gather take scatter scatter_add masked_fill masked_scatter masked_select where index_fill
fill zero copy clone to_copy lazy_clone to_dense to_mkldnn mkldnn_reshape pin_memory
conj conj_physical neg_view complex view_as_complex view_as_real fft_c2c fft_c2r fft_r2c real imag
nested_from_padded nested_tensor_from_mask to_padded_tensor nested_view_from_jagged
nested_get_values values linalg_inv_ex linalg_solve_ex linalg_solve_triangular
linalg_cholesky_ex linalg_svd linalg_qr linalg_matrix_exp linalg_cross
"""

_OWN = {
    "rectify", "torch::autograd::accumulategrad", "torch::autograd::copybackwards",
}  # fmt: skip
"""What `rules` puts in a rectifier's place, the pictures themselves, and copies of values."""

_LET_THROUGH = {name.replace("_", "").lower() for name in _KNOWN.split()} | _OWN

_WITH_A_MASK = {"mul", "div", "maskedfill", "maskedscatter", "where", "indexput", "indexputimpl",
                "index", "maskedselect", "addcmul", "addcdiv"}  # fmt: skip
"""Operations that switch a gradient if what they are given beside the value follows the picture."""

_LARGEST_OF = {"amax", "amin", "max", "min", "topk", "sort", "kthvalue", "median", "nanmedian",
               "mode", "cummax", "cummin", "aminmax", "maxpool2d", "maxpool2dwithindices",
               "maxpool3dwithindices", "adaptivemaxpool2d", "adaptivemaxpool3d", "logsumexp",
               "logcumsumexp"}  # fmt: skip

_MOVED = {"view", "unsafeview", "reshapealias", "alias", "asstrided", "expand", "permute",
          "transpose", "t", "squeeze", "unsqueeze", "select", "slice", "clone", "copy", "tocopy",
          "contiguous"}  # fmt: skip

_FEW = 3
"""A factor of so few different values, zero among them or not, is a mask and no set of weights."""

_OUTSIDE = re.compile(r"CppNode<.*(DeformConv|ROIAlign|ROIPool)", re.IGNORECASE)


def switched(values: Iterable[Tensor], pictures: Tensor) -> str | None:
    """What between `pictures` and `values` switches the gradient, in words; None for nothing."""
    return next((said for node in graph(values, pictures) if (said := _said(node))), None)


def _said(node: Any) -> str | None:
    name, kind, metadata = node.name(), kind_of(node), node.metadata
    if MASKED in metadata:
        return (
            f"{metadata[MASKED]!r} ({name!r}) takes a mask that is made of the picture, and the "
            "outcome is not max(x, 0)"
        )
    if name.endswith("CopySlices"):
        made = metadata.get(IN_PLACE, "something in scripted code")
        known = made == "__setitem__" or made.replace("_", "") in _LET_THROUGH
        return None if known else f"{made!r} is written into a part of a value ({name!r})"
    if kind not in _LET_THROUGH and not _OUTSIDE.search(name):
        return (
            f"the graph of this network has {name!r}, which it could not replace: another "
            "activation than ReLU, or a ReLU in scripted code or written as something else"
        )
    return next((f"{said} ({name!r})" for said, holds in _WRITTEN_OUT.items() if holds(node)), None)


def kind_of(node: Any) -> str:
    """What an autograd node is the derivative of, in small letters alone."""
    bare = re.sub(r"Backwards?\w*$", "", str(node.name()))
    return bare.replace("_", "").lower()


def _hidden_mask(node: Any) -> bool:
    """Whether an operation that no Python call was seen for takes a mask."""
    kind = kind_of(node)
    if SEEN in node.metadata or kind not in _WITH_A_MASK:
        return False
    if kind not in {"mul", "div"}:
        return True
    if all(parent is not None for parent, _ in node.next_functions):
        return False
    for name in ("_saved_other", "_saved_self"):
        factor = getattr(node, name, None)
        if isinstance(factor, Tensor) and factor.numel() > 1:
            return 1 < len(factor.detach().flatten()[: 2**16].unique()) <= _FEW
    return False


def _against_constant(node: Any) -> bool:
    """Whether what the largest is taken of was joined with a constant just before."""
    kind = kind_of(node)
    if kind not in _LARGEST_OF:
        return False
    waiting = [parent for parent, _ in node.next_functions]
    while waiting:
        parent = waiting.pop()
        if parent is None:
            continue
        below = kind_of(parent)
        sources = [source for source, _ in parent.next_functions]
        if below in {"cat", "stack"}:
            apart = below == "cat" and "pool" in kind and parent._saved_dim == 1  # own channels
            if any(source is None for source in sources) and not apart:
                return True
            waiting += sources
        elif below == "constantpadnd" and "pool" not in kind:
            return True
        elif below in _MOVED:
            waiting += sources
    return False


_WRITTEN_OUT: dict[str, Callable[[Any], bool]] = {
    "something is multiplied by, or filled with, a mask in scripted code": _hidden_mask,
    "the largest of a value and a constant is taken, a ReLU written out": _against_constant,
    "something is multiplied by a gate made of itself, SiLU, GELU, Hardswish or the like written "
    "out": gates_itself,
    "a value is added to its own rectified part, a ReLU or leaky ReLU written out": joins_rectified,
    "an absolute value or a softplus is written out": hides_absolute,
}


def graph(values: Iterable[Tensor], pictures: Tensor) -> Iterator[Any]:
    """The autograd nodes between `values` and `pictures`, each once."""
    waiting, seen = [value.grad_fn for value in values], {None, pictures.grad_fn}
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        assert node is not None
        yield node
        waiting.extend(parent for parent, _ in node.next_functions)
