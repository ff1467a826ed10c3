"""Draws the pictures of the pages: `make pictures`, or python docs/pictures/make.py.

Everything shown is made by the program's own commands from its own sample, whose scene is drawn by
arithmetic.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from corridor import Stations, draw

from spikedeblur import voxelize
from spikedeblur.cli.main import main
from spikedeblur.io.images import write_image
from spikedeblur.io.spikes.settings import RecordingSettings
from spikedeblur.io.spikes.sidecar import find_sidecar
from spikedeblur.io.spikes.source import resolve_spike_source
from spikedeblur.io.video import open_video
from spikedeblur.prior.frames import ReadFrame
from spikedeblur.recording.exposures import StreamExposures
from spikedeblur.recording.resample import resize_planes
from spikedeblur.sample.picture import draw_street

HERE = Path(__file__).parent
FRAME = 11  # of the sample: one that is blurred a good deal
CROP = slice(100, 190), slice(120, 240)  # rows, columns: brick and windows
METHODS = "blurry,tfp,sdm,sdm:0.125,joint,net"
PICTURES_ALONE = (
    "<style>header, section:not(:nth-of-type(2)) { display: none }"
    "main { padding: 0 12px } section { margin: 12px 0 }"
    ".stage { max-width: 720px }</style></head>"
)
ZOOM, GRID = 2, 15  # of the frame with paths over it; spike pixels from one path to the next
YELLOW = 255, 220, 0
HARD_FRAME = 1
HARD = {  # what makes a recording too hard: options of simulate, and of deblur
    "clock": ([], ["--offset", "0.004"]),
    "dim": (["--threshold", "60"], []),
    "fast": (["--blur", "40"], []),
}


def run(*arguments: object) -> None:
    """One command of the program; it has to succeed."""
    if status := main([str(each) for each in arguments]):
        sys.exit(status)


def picture(video: Path, number: int) -> np.ndarray:
    """Frame `number` of a video, (H, W, 3) uint8."""
    with open_video(video) as reader:
        return next(islice(reader, number, None)).rgb


def psnr(video: Path, sharp: Path) -> float:
    """Mean over the frames of two videos, dB."""
    with open_video(video) as one, open_video(sharp) as other:
        errors = [
            np.mean((a.rgb / 255 - b.rgb / 255) ** 2) for a, b in zip(one, other, strict=True)
        ]
    return float(-10 * np.mean(np.log10(errors)))


def closer(rgb: np.ndarray) -> np.ndarray:
    """The part that is shown, every pixel as four."""
    return rgb[CROP].repeat(2, axis=0).repeat(2, axis=1)


def beside(pictures: list[np.ndarray], gap: int = 6, axis: int = 1) -> np.ndarray:
    """Pictures of one size in a row (axis 1) or a column (axis 0), white between them."""
    shape = list(pictures[0].shape)
    shape[axis] = gap
    white = np.full(shape, 255, np.uint8)
    parts = [part for each in pictures for part in (each, white)][:-1]
    return np.concatenate(parts, axis=axis)


def grey(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A plane of any range as a grey picture of (height, width), darkest to brightest."""
    plane = plane.astype(np.float32)
    stretched = np.clip(plane / max(np.quantile(plane, 0.995), 1e-6), 0, 1)
    rows = np.arange(size[0]) * plane.shape[0] // size[0]
    columns = np.arange(size[1]) * plane.shape[1] // size[1]
    nearest = stretched[rows][:, columns] ** (1 / 2.2)
    return np.repeat((nearest * 255).round().astype(np.uint8)[..., None], 3, axis=2)


def smaller(rgb: np.ndarray, width: int) -> np.ndarray:
    """A thumbnail of the given width."""
    height = round(rgb.shape[0] * width / rgb.shape[1])
    planes = resize_planes(rgb.transpose(2, 0, 1).astype(np.float32), (height, width))
    return np.clip(planes.transpose(1, 2, 0), 0, 255).round().astype(np.uint8)


def the_sample(folder: Path) -> None:
    """sample.png and corridor.svg: what goes in, and what comes out."""
    case = folder / "sample"
    run("simulate", "sample", "-o", case)
    for method in ("sdm", "net"):
        run(
            "deblur",
            case / "blurry.mkv",
            "--spikes",
            case / "spikes.dat",
            "--method",
            method,
            "-o",
            folder / f"{method}.mkv",
            "--codec",
            "ffv1",
            "--end",
            f"{FRAME + 4}f",
        )
    blurry, sharp = picture(case / "blurry.mkv", FRAME), picture(case / "sharp.mkv", FRAME)
    by_sdm, by_net = (picture(folder / f"{name}.mkv", FRAME) for name in ("sdm", "net"))
    exposures = StreamExposures.of_source(
        resolve_spike_source(
            case / "spikes.dat", RecordingSettings(), find_sidecar(case / "spikes.dat")
        )
    )
    stream = exposures.stream
    with open_video(case / "blurry.mkv") as reader:
        span = next(islice(reader, FRAME, None)).span
    exposure = exposures.interval(*span)
    middle = round((exposure.start + exposure.stop) / 2)
    seen = grey(stream[middle - 8 : middle + 8].mean(axis=0), blurry.shape[:2])
    write_image(
        HERE / "sample.png",
        beside([closer(each) for each in (blurry, seen, by_sdm, by_net, sharp)]),
    )
    counts = voxelize(stream, 32, exposure.start, exposure.stop)
    thumbnail = (58, 104)
    strip = [
        smaller(picture(case / "blurry.mkv", number), 128) for number in range(FRAME - 2, FRAME + 3)
    ]
    stations = Stations(
        strip=strip,
        sharp=smaller(by_net, 200),
        exposure=float(exposure.length / stream.rate_hz / span[1]),
        planes=[
            grey(stream[tick : tick + 1][0], thumbnail)
            for tick in range(middle - 30, middle + 30, 15)
        ],
        bins=[grey(each, thumbnail) for each in counts[::5]],
        ticks=round(exposure.length),
    )
    (HERE / "corridor.svg").write_text(draw(stations), encoding="utf-8")


def the_path(folder: Path) -> None:
    """path.png: the paths of points through the exposure, over the blurry frame."""
    case = folder / "sample"
    exposures = StreamExposures.of_source(
        resolve_spike_source(
            case / "spikes.dat", RecordingSettings(), find_sidecar(case / "spikes.dat")
        )
    )
    with open_video(case / "blurry.mkv") as reader:
        frame = next(islice(reader, FRAME, None))
    counts, _ = exposures.counts(frame)
    read = ReadFrame.of_arrays(frame.rgb.astype(np.float32) / 255, counts)
    times = torch.linspace(-1, 1, 400)
    ways = 2 * ZOOM * read.exposure.path.displacement(times)[0].numpy()  # (400, 2, h, w)
    shown = frame.rgb.repeat(ZOOM, axis=0).repeat(ZOOM, axis=1)
    rows, columns = shown.shape[:2]
    for y in range(GRID // 2, ways.shape[2], GRID):
        for x in range(GRID // 2, ways.shape[3], GRID):
            centre = 2 * ZOOM * np.array([x + 0.5, y + 0.5])
            angles = np.linspace(0, 2 * np.pi, 60)
            ring = 3.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            for dots in (ways[:, :, y, x], ring):
                u, v = np.rint(centre + dots).astype(int).T
                inside = (u >= 0) & (u < columns - 1) & (v >= 0) & (v < rows - 1)
                for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    shown[v[inside] + down, u[inside] + across] = YELLOW
    write_image(HERE / "path.png", shown)


def the_report(folder: Path) -> None:
    """report.png: the pictures of a report on the sample, as Chromium shows them."""
    browser = shutil.which("chromium")
    if browser is None:
        print("report.png stays as it is: there is no chromium")
        return
    page = folder / "report.html"
    run("benchmark", folder / "sample", "--methods", METHODS, "--repeats", 1, "--html", page)
    shoot(browser, page, HERE / "report.png")


def shoot(browser: str, page: Path, picture: Path) -> None:
    """The section of pictures of a page, as a picture."""
    whole = page.read_text(encoding="utf-8")
    page.write_text(whole.replace("</head>", PICTURES_ALONE), encoding="utf-8")
    subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--window-size=960,1110",
            f"--user-data-dir={page.parent / 'profile'}",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        check=True,
        capture_output=True,
    )


def too_hard(folder: Path) -> None:
    """failures.png: a row for each condition; blurry, restored, sharp."""
    scene = folder / "scene"
    scene.mkdir()
    for seed in range(2):
        write_image(scene / f"street{seed}.png", draw_street(seed=seed))
    rows = []
    for name, (recorded, deblurred) in HARD.items():
        case, restored = folder / name, folder / f"{name}.mkv"
        usual = [] if "--blur" in recorded else ["--blur", "7"]
        run(
            "simulate",
            scene,
            "-o",
            case,
            "--size",
            "480x270",
            "--frames",
            5,
            "--seed",
            1,
            *usual,
            *recorded,
        )
        run(
            "deblur",
            case / "blurry.mkv",
            "--spikes",
            case / "spikes.dat",
            "-o",
            restored,
            "--codec",
            "ffv1",
            *deblurred,
        )
        shown = (case / "blurry.mkv", restored, case / "sharp.mkv")
        print(
            f"{name}: blurry {psnr(shown[0], shown[2]):.1f} dB, "
            f"restored {psnr(restored, shown[2]):.1f} dB"
        )
        rows.append(beside([closer(picture(video, HARD_FRAME)) for video in shown]))
    write_image(HERE / "failures.png", beside(rows, axis=0))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        demo = Path(scratch) / "demo"  # the report names a case by its folder
        demo.mkdir()
        the_sample(demo)
        the_path(demo)
        the_report(demo)
        too_hard(demo)
