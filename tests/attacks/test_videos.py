"""Videos that would read other files or the network, or whose pictures would fill the memory."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from spikedeblur.cli.main import main
from spikedeblur.errors import InputError
from spikedeblur.io.guards.limits import DEFAULT_MAX_PIXELS, max_pixels
from spikedeblur.io.video import create_video, open_video
from spikedeblur.io.video_info import VideoInfo
from tests.attacks.bombs import black_png, nobody_calls, nobody_opens
from tests.hostile import memory_below, refused
from tests.recordings import frame_at

PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
    "hls by byte ranges": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n#EXT-X-BYTERANGE:900@0\n"
    "{url}\n#EXT-X-ENDLIST\n",
    "hls with a key": '#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n'
    "#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{url}'\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="0" bandwidth="9"><BaseURL>{url}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "a=control:{url}\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "smil": '<smil><body><video src="{url}"/></body></smil>',
    "asx": '<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
    "avs": 'FFmpegSource2("{url}")\n',
    "vpy": 'import os; os.mkdir("ran")\n',
    "imf": '<AssetMap xmlns="http://www.smpte-ra.org/schemas/429-9/2007/AM"><Path>{url}</Path>'
    "</AssetMap>",
}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A video that nothing but itself may name."""
    path = tmp_path / "secret.mkv"
    with create_video(path, VideoInfo.synthetic(48, 32, 25)) as writer:
        writer.write(frame_at(0, np.zeros((32, 48, 3), np.uint8)))
    return path


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".m3u8"])
def test_a_playlist_opens_nothing(
    name: str, suffix: str, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"video{suffix}"
    with nobody_calls() as port, nobody_opens(secret):
        for url in (
            secret.name,
            f"file:{secret}",
            f"http://127.0.0.1:{port}/x.ts",
            f"tcp://127.0.0.1:{port}",
            f"concat:{secret}|{secret}",
            f"subfile,,start,0,end,9,,:{secret}",
        ):
            path.write_text(PLAYLISTS[name].format(url=url))
            with refused(InputError, "as a video"):
                open_video(path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["secret.mkv", path.name]


@pytest.mark.parametrize(
    "command",
    [
        ["info", "v.mp4"],
        ["deblur", "v.mp4", "--method", "sdm", "--spikes", "v.mp4"],
        ["voxelize", "v.mp4", "--video", "v.mp4"],
        ["simulate", "v.mp4", "-o", "out"],
    ],
)
def test_no_command_opens_what_a_playlist_names(
    command: list[str],
    secret: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.mp4").write_text(PLAYLISTS["hls"].format(url=secret.name))
    with nobody_opens(secret):
        assert main(command) == 1
    assert "v.mp4 as a video" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    [
        "http://127.0.0.1:{port}/v.mp4",
        "tcp://127.0.0.1:{port}",
        "concat:secret.mkv|secret.mkv",
        "file:secret.mkv",
        "data:video/mp4;base64,AAAA",
        "subfile,,start,0,end,9,,:secret.mkv",
        "async:secret.mkv",
        "crypto:secret.mkv",
        "secret%.mkv",
        "pipe:0",
    ],
)
def test_names_are_no_addresses(
    name: str, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with nobody_calls() as port, nobody_opens(secret), refused(InputError, "there is no file"):
        open_video(name.format(port=port))


def in_container(path: Path, picture: bytes) -> Path:
    """A video whose one packet is this PNG, its header telling of a smaller one."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "rgb24"
        output.start_encoding()
        packet = av.Packet(picture)
        packet.stream, packet.pts, packet.dts, packet.time_base = stream, 0, 0, Fraction(1, 25)
        output.mux(packet)
    return path


@pytest.mark.parametrize("suffix", [".mov", ".avi", ".nut"])
def test_pictures_larger_than_the_header_says(suffix: str, tmp_path: Path) -> None:
    """Not even to find out what the streams are is the picture decoded."""
    path = in_container(tmp_path / f"v{suffix}", black_png(12_000, 12_000))
    assert path.stat().st_size < 500_000
    with refused(InputError, "--max-pixels", megabytes=20):
        open_video(path)


def test_a_large_picture_beside_the_video_is_not_decoded(secret: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.mkv"
    with av.open(str(secret)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        output.add_attachment("cover.png", "image/png", black_png(12_000, 12_000))
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    with memory_below(20), open_video(path) as reader:
        assert len(list(reader)) == 1


def test_the_limit_is_an_option_and_a_variable(
    secret: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few, enough = str(48 * 32 - 1), str(48 * 32)
    assert main(["--max-pixels", few, "info", str(secret)]) == 1
    assert "too large (48x32, at most 1535 pixels" in capsys.readouterr().err
    assert main(["--max-pixels", enough, "info", str(secret)]) == 0
    monkeypatch.setenv("SPIKEDEBLUR_MAX_PIXELS", few)
    assert main(["info", str(secret)]) == 1
    monkeypatch.delenv("SPIKEDEBLUR_MAX_PIXELS")
    assert main(["info", str(secret)]) == 0
    assert max_pixels() == DEFAULT_MAX_PIXELS
    assert main(["--max-pixels", "0", "info", str(secret)]) == 2
