"""Photographs for tests: colour noise of several scales, which has detail everywhere."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def noise_photo(seed: int, height: int = 120, width: int = 160) -> np.ndarray:
    """A (height, width, 3) uint8 picture."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3))
    for cell in (1, 4, 16):
        coarse = rng.random((-(-height // cell), -(-width // cell), 3))
        picture += np.kron(coarse, np.ones((cell, cell, 1)))[:height, :width]
    return np.round(picture / 3 * 255).astype(np.uint8)


def write_png(path: Path, picture: np.ndarray) -> Path:
    """Write (H, W, 3) uint8 losslessly."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = picture.shape[1], picture.shape[0], "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def photo_folder(folder: Path, count: int = 4) -> Path:
    """A folder of `count` different photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        write_png(folder / f"photo{number}.png", noise_photo(number))
    return folder
