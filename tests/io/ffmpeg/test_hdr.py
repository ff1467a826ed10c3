"""HDR10's static metadata: read as written, and written again by every encoder that can."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from spikedeblur.io.ffmpeg import describe
from spikedeblur.io.ffmpeg.hdr import HdrMetadata
from spikedeblur.io.video import open_video
from tests.io.clips import Clip, make_clip, pass_through

# A P3 display of 0.005 to 1000 cd/m2, in the units of H.265: 0.00002, and 0.0001 cd/m2.
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
MEANT = HdrMetadata(
    tuple(
        Fraction(text)
        for text in (
            "0.68",
            "0.32",
            "0.265",
            "0.69",
            "0.15",
            "0.06",
            "0.3127",
            "0.329",
            "0.005",
            "1000",
        )
    ),
    (1200, 350),
)
HDR10 = Clip(
    codec="libx265",
    pix_fmt="yuv420p10le",
    matrix=9,
    tags=(9, 1, 9, 16),
    options={
        "x265-params": f"log-level=error:lossless=1:master-display={DISPLAY}:max-cll=1200,350"
    },
)


def metadata_of(path: Path) -> HdrMetadata | None:
    with open_video(path) as reader:
        return reader.info.hdr


def test_it_is_read_as_the_standard_writes_it(tmp_path: Path) -> None:
    assert metadata_of(make_clip(tmp_path, HDR10)) == MEANT
    assert metadata_of(make_clip(tmp_path, Clip(), "plain")) is None


@pytest.mark.parametrize(
    "codec,suffix",
    [(None, ".mp4"), (None, ".mkv"), (None, ".mov"), ("libx264", ".mp4"), ("libsvtav1", ".mkv")],
)
def test_it_is_kept(codec: str | None, suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{suffix}"
    warnings, _ = pass_through(make_clip(tmp_path, HDR10), target, codec=codec)
    assert not [each for each in warnings if "mastering" in each]
    kept = metadata_of(target)
    assert kept is not None and kept.display is not None and MEANT.display is not None
    assert kept.light == MEANT.light
    # AV1 counts in 1/65536, and luminance in 1/256 and 1/16384.
    for value, meant in zip(kept.display, MEANT.display, strict=True):
        assert abs(value - meant) <= (2e-5 if codec == "libsvtav1" else 0)


def test_one_of_the_two_alone_is_kept(tmp_path: Path) -> None:
    clip = Clip(
        codec="libx265",
        pix_fmt="yuv420p10le",
        tags=(9, 1, 9, 16),
        options={"x265-params": "log-level=error:max-cll=1200,350"},
    )
    pass_through(make_clip(tmp_path, clip), tmp_path / "out.mp4")
    assert metadata_of(tmp_path / "out.mp4") == HdrMetadata(None, (1200, 350))


def test_the_callers_parameters_stay(tmp_path: Path) -> None:
    pass_through(
        make_clip(tmp_path, HDR10),
        tmp_path / "out.mp4",
        encoder_options={"x265-params": "max-cll=7,5"},
    )
    assert metadata_of(tmp_path / "out.mp4") == HdrMetadata(MEANT.display, (7, 5))


def test_an_encoder_that_cannot_write_it_is_named(tmp_path: Path) -> None:
    warnings, _ = pass_through(make_clip(tmp_path, HDR10), tmp_path / "out.mkv", codec="ffv1")
    assert [each for each in warnings if "not kept by ffv1" in each and "libx265" in each]


def test_what_changes_from_frame_to_frame_is_said_to_be_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, "dynamic_metadata", lambda frame: ["HDR10+"])
    with open_video(make_clip(tmp_path, HDR10)) as reader:
        assert [each for each in reader.warnings if each.startswith("HDR10+ metadata")]
