"""Room above white: frames made darker, so that the light fits that the spikes give back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spikedeblur.errors import UsageError
from spikedeblur.io.colour_tags import PixelLayout
from spikedeblur.io.video_info import VideoFrame, VideoInfo
from spikedeblur.prior.highlights import light_given_back
from spikedeblur.recording.exposures import ExposedFrame, StreamExposures
from spikedeblur.recording.light import linear_to_srgb, srgb_to_linear
from spikedeblur.restoration.view import View

CLIPPED_CODE = 0.98  # of the largest code, from which on a channel is clipped
MOST_STOPS = 8.0
DEEPER = {
    **{f"yuv{chroma}p": f"yuv{chroma}p10le" for chroma in (420, 422, 444)},
    **{f"yuvj{chroma}p": f"yuv{chroma}p10le" for chroma in (420, 422, 444)},
}


def check_headroom(stops: float) -> float:
    """Return it. Raises `UsageError` for stops that cannot be."""
    if not 0 <= stops <= MOST_STOPS:
        raise UsageError(f"no such headroom ({stops:g} stops seen) - give 0 to {MOST_STOPS:g}")
    return stops


def with_headroom(exposed: Iterable[ExposedFrame], stops: float) -> Iterator[ExposedFrame]:
    """Frames of which white is `stops` below the largest code, and what was clipped above it.

    They have 16 bits, by the curve that they had. Without stops they are left as they are.
    """
    yield from (_darkened(each, stops) if stops else each for each in exposed)


def deeper(info: VideoInfo, stops: float) -> VideoInfo:
    """The template of a video of 10 bits or more, where there is headroom; else the same."""
    layout = PixelLayout.of(info.pix_fmt)
    if not stops or layout.depth > 8:
        return info
    others = {"rgb": "gbrp10le", "gray": "gray10le"}
    return replace(info, pix_fmt=DEEPER.get(info.pix_fmt, others.get(layout.family, "yuv420p10le")))


def _darkened(exposed: ExposedFrame, stops: float) -> ExposedFrame:
    codes = exposed.frame.rgb.astype(np.float32) / np.float32(np.iinfo(exposed.frame.rgb.dtype).max)
    curve = exposed.transfer
    light = (srgb_to_linear(codes) if curve is None else curve.light(codes)).astype(np.float32)
    clipped = codes >= CLIPPED_CODE
    if exposed.counts is not None and clipped.any():
        count = View(exposed).on_frame(exposed.grey(exposed.counts.sum(axis=0)[None]))[0]
        source = exposed.source
        most = source.most_spikes(exposed.frame) if isinstance(source, StreamExposures) else None
        counted = torch.from_numpy(np.require(count, requirements="W"))
        found = light_given_back(_planar(light), _planar(clipped), counted, most)
        light = found.permute(1, 2, 0).numpy()
    light = np.clip(light * np.float32(2**-stops), 0, 1)
    darker = linear_to_srgb(light) if curve is None else curve.codes(light)
    return replace(exposed, frame=_with_picture(exposed.frame, darker))


def _planar(picture: NDArray[Any]) -> torch.Tensor:
    """(H, W, 3) -> (3, H, W)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(picture, -1, 0)))


def _with_picture(frame: VideoFrame, codes: NDArray[np.floating]) -> VideoFrame:
    """The frame with another picture, codes in [0, 1], of 16 bits."""
    alpha = frame.alpha
    if alpha is not None and alpha.dtype == np.uint8:
        alpha = alpha.astype(np.uint16) * 257
    rgb = np.rint(codes * 65535).astype(np.uint16)
    return replace(frame, rgb=rgb, decoded=None, alpha=alpha)
