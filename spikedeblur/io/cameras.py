"""Plane sizes and rates of the spike cameras and published spike data sets."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CAMERAS", "Camera", "fitting_sizes"]


@dataclass(frozen=True)
class Camera:
    """A plane size in pixels and the rates (ticks per second) it is known to be recorded at.

    has_header: some columns of the plane are line headers, not pixels.
    """

    width: int
    height: int
    rates_hz: tuple[int, ...]
    name: str
    has_header: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.width, self.height


CAMERAS = (
    Camera(400, 250, (20_000, 40_000), "Vidar, sps10"),
    Camera(416, 250, (20_000, 40_000), "sps10 with 16 header columns", has_header=True),
    Camera(1000, 1000, (20_000,), "sps100, M1K40, BSS"),
    Camera(1024, 1000, (20_000,), "sps100 with line headers", has_header=True),
    Camera(640, 360, (1_920,), "Spk-GoPro"),
    Camera(320, 180, (1_920,), "S-SDM GoPro"),
    Camera(1280, 720, (1_920,), "S-SDM GoPro, full size"),
    Camera(640, 480, (), "SpkDeblurNet's default size"),
    Camera(384, 384, (1_000,), "Spk-X4K1000FPS, training"),
    Camera(256, 256, (1_000,), "Spk-X4K1000FPS, validation"),
)


def fitting_sizes(n_bytes: int) -> list[tuple[int, int]]:
    """Known (width, height) whose planes fill a file of n_bytes exactly, commonest camera first."""
    return [
        camera.size for camera in CAMERAS if n_bytes % (-(-camera.width * camera.height // 8)) == 0
    ]
