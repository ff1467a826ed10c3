"""The plane size of a recording, found from its bits when it is not given.

A pixel that has just fired waits before it fires again, so the bits a plane apart differ from
chance, and only they. Folded to planes, neighbouring rows resemble each other, if the width is
right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spikedeblur.io.spikes.cameras import CAMERAS, Camera
from spikedeblur.io.spikes.packed import dat_files, file_bytes

__all__ = ["LikelyPlane", "likely_plane"]

SAMPLED_BYTES = 1 << 19
FOLDED_BYTES = 1 << 24
SMALLEST_SIDE, LARGEST_ASPECT = 16, 4
FIRST_PLANE = SMALLEST_SIDE * SMALLEST_SIDE
ECHO_SIGMAS = 8  # deviations of chance that the return of a plane must exceed
LEAST_LIKENESS = 0.25
KNOWN_CAMERA_BONUS = 0.05


@dataclass(frozen=True)
class LikelyPlane:
    """A plane that the bits speak for, and how clearly they do.

    echo: correlation of the bits a plane apart, beyond that of their neighbours. likeness:
    correlation of each row with the next, of the firing rates. rest: bytes after the last whole
    plane of the file.
    """

    camera: Camera
    echo: float
    likeness: float
    rest: int

    @property
    def size_option(self) -> str:
        """The option that says so."""
        return "--spike-size {}x{}".format(*self.camera.size)

    @property
    def reason(self) -> str:
        """Give the reason why it is likely."""
        bits = self.camera.layout.plane_bytes(*self.camera.size) * 8
        over = f"; {self.rest:,} bytes of another plane follow" if self.rest else ""
        return (
            f"bits {bits:,} apart belong together (correlation {self.echo:+.2f}), and rows of "
            f"{self.camera.width} resemble the next ({self.likeness:.2f}){over}"
        )


def likely_plane(path: Path) -> LikelyPlane | None:
    """The plane that the bits of a .dat (or the first of a folder) speak for, None if none.

    Raises InputError for a file that is missing or empty.
    """
    path = dat_files(path)[0] if path.is_dir() else path
    return _likely_plane(path, file_bytes(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=4)  # it takes a second, and is asked for more than once
def _likely_plane(path: Path, size: int, _changed_ns: int) -> LikelyPlane | None:
    packed = np.memmap(path, np.uint8, "r")
    found = _plane_bytes(np.asarray(packed[:SAMPLED_BYTES]), size)
    if packed.size > 2 * SAMPLED_BYTES and found is None:  # the beginning may be dark
        middle = packed.size // 2
        found = _plane_bytes(np.asarray(packed[middle : middle + SAMPLED_BYTES]), size)
    if found is None:
        return None
    plane, echo = found
    planes = packed[: min(FOLDED_BYTES, size) // plane * plane].reshape(-1, plane)
    rates = np.zeros(plane * 8)
    for some in np.array_split(planes, -(-len(planes) // 64)):
        rates += np.unpackbits(some, axis=1, bitorder="little").sum(axis=0)
    cameras = _cameras_of(plane)
    likeness = [_likeness(rates, camera) for camera in cameras]
    if not cameras or max(likeness) < LEAST_LIKENESS:
        return None
    best = int(
        np.argmax(
            [
                value + KNOWN_CAMERA_BONUS * bool(camera.name)
                for value, camera in zip(likeness, cameras, strict=True)
            ]
        )
    )
    return LikelyPlane(cameras[best], echo, likeness[best], size % plane)


def _plane_bytes(packed: NDArray[np.uint8], size: int) -> tuple[int, float] | None:
    """Bytes of a plane and the echo it has; first those that divide the file."""
    bits = np.unpackbits(packed, bitorder="little")
    correlation = _autocorrelation(bits)
    lags = np.arange(FIRST_PLANE // 8 * 8, len(correlation) - 8, 8)
    whole = (size * 8) % lags == 0
    return _clearest(correlation, lags[whole], len(bits)) or _clearest(
        correlation, lags[~whole], len(bits)
    )


def _clearest(
    correlation: NDArray[np.float32], lags: NDArray[np.int_], count: int
) -> tuple[int, float] | None:
    """The first of the lags (of `count` bits) that stand out from their neighbours, in bytes."""
    echoes = correlation[lags] - (correlation[lags - 1] + correlation[lags + 1]) / 2
    clear = ECHO_SIGMAS * np.sqrt(1.5 / np.maximum(count - lags, 1))
    strong = np.flatnonzero(np.abs(echoes) > np.maximum(clear, np.abs(echoes).max(initial=0) / 3))
    # The first of them: what comes again after a plane does so after two and three.
    return (int(lags[strong[0]]) // 8, float(echoes[strong[0]])) if len(strong) else None


def _autocorrelation(bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Correlation of the bits with themselves at every lag up to half their number."""
    centred = bits.astype(np.float32) - np.float32(bits.mean())
    length = 1 << (len(bits) + len(bits) // 2 - 1).bit_length()
    power = np.abs(np.fft.rfft(centred, length)) ** 2
    lagged = np.fft.irfft(power, length)[: len(bits) // 2]
    overlap = 1 - np.arange(len(lagged)) / len(bits)
    correlation: NDArray[np.float32] = lagged / overlap / max(lagged[0], 1e-9)
    return correlation


def _cameras_of(plane: int) -> list[Camera]:
    """Known cameras with planes of so many bytes, then every size that has, padded or not."""
    known = [camera for camera in CAMERAS if camera.layout.plane_bytes(*camera.size) == plane]
    others = []
    for pixels in range(plane * 8, plane * 8 - 8, -1):
        for width in range(SMALLEST_SIDE, pixels // SMALLEST_SIDE + 1):
            height = pixels // width
            if width * height == pixels and max(width, height) <= LARGEST_ASPECT * min(
                width, height
            ):
                others.append(Camera(width, height, (), ""))
    return known + others


def _likeness(rates: NDArray[np.float64], camera: Camera) -> float:
    """Correlation of each row of firing rates with the next."""
    stored = len(rates) // camera.height
    rows = rates[: stored * camera.height].reshape(camera.height, stored)[:, : camera.width]
    if camera.height < 2 or not rows.any():
        return 0.0
    upper, lower = rows[:-1] - rows.mean(), rows[1:] - rows.mean()
    spread = np.sqrt((upper**2).sum() * (lower**2).sum())
    return float((upper * lower).sum() / spread) if spread else 0.0
