"""Plane sizes, rates and layouts of the spike cameras and published spike data sets."""

from __future__ import annotations

from dataclasses import dataclass

from spikedeblur.errors import UsageError
from spikedeblur.io.spikes.layouts import PLAIN, Layout
from spikedeblur.io.spikes.sps100 import SPS100

__all__ = ["CAMERAS", "SPIKE_LAYOUTS", "Camera", "fitting_cameras", "fitting_sizes", "layout_named"]


@dataclass(frozen=True)
class Camera:
    """A plane size in pixels and the rates (ticks per second) it is known to be recorded at.

    layout: how its packed planes are laid out.
    """

    width: int
    height: int
    rates_hz: tuple[int, ...]
    name: str
    layout: Layout = PLAIN

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height

    def fills(self, n_bytes: int) -> bool:
        """Return whether whole planes of its layout fill so many bytes."""
        return n_bytes % self.layout.plane_bytes(*self.size) == 0

    def __str__(self) -> str:
        size = f"{self.width}x{self.height}"
        return size if self.layout == PLAIN else f"{size} in the layout {self.layout.name}"


SPS10 = Layout("sps10", "16 header columns after the pixels of each row", header=16)
CAMERAS: tuple[Camera, ...] = (
    Camera(400, 250, (20_000, 40_000), "Vidar, sps10"),
    Camera(400, 250, (20_000, 40_000), "sps10 with 16 header columns", SPS10),
    Camera(1000, 1000, (20_000,), "sps100, M1K40, BSS"),
    Camera(1000, 1000, (20_000,), "sps100 with line headers", SPS100),
    Camera(640, 360, (1_920,), "Spk-GoPro"),
    Camera(320, 180, (1_920,), "S-SDM GoPro"),
    Camera(1280, 720, (1_920,), "S-SDM GoPro, full size"),
    Camera(640, 480, (), "SpkDeblurNet's default size"),
    Camera(384, 384, (1_000,), "Spk-X4K1000FPS, training"),
    Camera(256, 256, (1_000,), "Spk-X4K1000FPS, validation"),
)


SPIKE_LAYOUTS = {camera.layout.name: camera.layout for camera in CAMERAS}


def layout_named(name: str | None) -> Layout:
    """The layout of that name, for None the plain one. Raises UsageError if there is none."""
    if name is None:
        return PLAIN
    if name not in SPIKE_LAYOUTS:
        raise UsageError(f"unknown spike layout ({name!r}) - give {', '.join(SPIKE_LAYOUTS)}")
    return SPIKE_LAYOUTS[name]


def fitting_cameras(n_bytes: int) -> list[Camera]:
    """Known cameras whose planes fill a file of n_bytes exactly, commonest first.

    Recordings that begin within a plane are known by their headers, not by their size.
    """
    return [camera for camera in CAMERAS if not camera.layout.cut and camera.fills(n_bytes)]


def fitting_sizes(n_bytes: int) -> list[tuple[int, int]]:
    """Known (width, height) whose plain planes fill a file of n_bytes, commonest camera first."""
    return [camera.size for camera in fitting_cameras(n_bytes) if camera.layout == PLAIN]
