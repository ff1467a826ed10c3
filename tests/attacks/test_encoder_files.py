"""Options by which encoders write and read files of their own, from users and in foreign parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spikedeblur.cli.main import main
from spikedeblur.errors import UsageError
from spikedeblur.io.ffmpeg.encoders import EncoderSettings, choose_encoder
from spikedeblur.io.guards.encoder_files import refuse_files
from spikedeblur.io.guards.sealed import write_sealed
from spikedeblur.io.lock import InUseError
from spikedeblur.io.video_info import VideoInfo
from spikedeblur.output.job import RunRecord
from spikedeblur.output.parts import Parts
from tests.recordings import Recording

OPTIONS = [
    ("x264-params", "pass=1:stats=EVIL"),
    ("x264opts", "keyint=5:dump_yuv=EVIL"),
    ("stats", "EVIL"),
    ("passlogfile", "EVIL"),
    ("flags", "+pass1"),
    ("flags", "512"),
    ("x265-params", "csv=EVIL:csv-log-level=2"),
    ("x265-params", "film-grain=EVIL"),
    ("svtav1-params", "fgs-table=EVIL"),
    ("x264-params", "bframes=0, PASS =1"),
]


@pytest.mark.parametrize(("name", "value"), OPTIONS)
def test_they_are_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match="files or passes of its own"):
        refuse_files(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x264-params", "keyint=30:bframes=0"),
        ("svtav1-params", "film-grain=8:tune=0"),
        ("tune", "grain"),
        ("flags", "+cgop"),
        ("x265-params", "log-level=error"),
    ],
)
def test_others_are_not(name: str, value: str) -> None:
    refuse_files(name, value)


def test_the_encoder_is_never_opened_with_them() -> None:
    info = VideoInfo.synthetic(64, 48, 25, "yuv420p")
    settings = EncoderSettings("libx264", encoder_options={"x264-params": "pass=1:stats=evil"})
    with pytest.raises(UsageError, match="files"):
        choose_encoder(settings, info, "matroska", {"libx264", "h264"})


def test_nor_by_parts_of_someone_else(
    recording: Recording,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(*_arguments: object, **_options: object) -> None:
        raise InUseError("another process joins - wait")

    output, evil = tmp_path / "out.mkv", tmp_path / "evil"
    with monkeypatch.context() as patch:
        patch.setattr("spikedeblur.output.segmented.join", stopped)
        for shard in ("1/2", "2/2"):
            assert (
                main(
                    [
                        "-q",
                        "deblur",
                        str(recording.blurry),
                        "--spikes",
                        str(recording.spikes),
                        "--method",
                        "tfp",
                        "--segment",
                        "4",
                        "--codec",
                        "libx264",
                        "-o",
                        str(output),
                        "--shard",
                        shard,
                    ]
                )
                == 0
            )
    file = Parts(output).folder / "job.json"
    job = json.loads(file.read_text().splitlines()[0])
    job["output"]["encoder_options"] = {"x264-params": f"pass=1:stats={evil}"}
    write_sealed(file, RunRecord(**job))
    capsys.readouterr()
    assert main(["join", str(output)]) == 2
    assert "files or passes of its own" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"out.mkv.parts"}
