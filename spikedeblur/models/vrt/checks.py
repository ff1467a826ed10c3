"""Options of VRT that do not fit together are refused when the network is built."""

from __future__ import annotations

from collections.abc import Sequence

from spikedeblur.models.vrt.blocks import BLOCKS

STAGES = 7  # stages 1 to 7; stage 8 has one group per further entry


def check_options(
    upscale: int,
    pa_frames: int,
    window_size: Sequence[int],
    depths: Sequence[int],
    embed_dims: Sequence[int],
    num_heads: Sequence[int],
    deformable_groups: int,
    blocks: Sequence[str],
    temporal_strides: Sequence[int],
) -> None:
    """Raise ValueError, naming the option and the value seen."""
    if upscale != 1:
        raise ValueError(f"upscale must be 1, got {upscale}")
    if pa_frames not in (0, 2):
        raise ValueError(f"pa_frames must be 0 or 2, got {pa_frames}")
    if len(window_size) != 3 or min(window_size) < 1:
        raise ValueError(f"window_size must be three positive sizes, got {tuple(window_size)}")
    if not len(depths) == len(embed_dims) == len(num_heads) > STAGES:
        raise ValueError(
            "depths, embed_dims and num_heads need one entry for each of 7 stages and for at least "
            f"one group of stage 8, got {len(depths)}, {len(embed_dims)} and {len(num_heads)}"
        )
    if len(blocks) != STAGES + 1 or set(blocks) - set(BLOCKS):
        raise ValueError(f"blocks must be 8 of {', '.join(BLOCKS)}, got {tuple(blocks)}")
    if len(temporal_strides) != 3 or set(temporal_strides) - {1, 2}:
        raise ValueError(f"temporal_strides must be 3 of 1 and 2, got {tuple(temporal_strides)}")
    _check_widths(embed_dims, num_heads, blocks)
    if pa_frames and any(dim % deformable_groups for dim in embed_dims[:STAGES]):
        raise ValueError(
            f"embed_dims of stages 1 to 7 must be multiples of deformable_groups, "
            f"got {tuple(embed_dims[:STAGES])} and {deformable_groups}"
        )


def _check_widths(
    embed_dims: Sequence[int], num_heads: Sequence[int], blocks: Sequence[str]
) -> None:
    for decoder, encoder in ((5, 3), (6, 2), (7, 1)):
        here, skipped = embed_dims[decoder - 1], embed_dims[encoder - 1]
        if here != skipped:
            raise ValueError(
                f"stage {decoder} is added to the output of stage {encoder}, so their embed_dims "
                f"must be equal, got {here} and {skipped}"
            )
    for stage in (4, 5, 6):
        if embed_dims[stage - 1] % 4:
            raise ValueError(
                f"embed_dims of stage {stage} must be a multiple of 4, got {embed_dims[stage - 1]}"
            )
    if len(set(embed_dims[STAGES:])) > 1:
        raise ValueError(f"groups of stage 8 need one width, got {tuple(embed_dims[STAGES:])}")
    for entry, (dim, heads) in enumerate(zip(embed_dims, num_heads, strict=True)):
        BLOCKS[blocks[min(entry, STAGES)]].check_width(dim, heads)
