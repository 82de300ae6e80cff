"""Files of a server: whole or not at all, compared with their checksum, gone on with where they broke off."""

import hashlib
import io
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rmldnn.data import http
from rmldnn.data.fetch import fetch, unpack
from rmldnn.errors import ConfigError, DataError, RmldnnError

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Gives `content`, or what a range asks for; breaks off behind `breaks` bytes, once."""

    def do_GET(self):
        server = self.server
        asked = self.headers["Range"]
        server.asked.append(asked)
        if self.path != "/file.bin":
            self.send_error(404)
            return
        first = int(asked.removeprefix("bytes=").rstrip("-")) if asked and server.ranges else 0
        if first >= len(server.content):
            self.send_error(416)
            return
        body = server.content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(body)))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(server.content) - 1}/{len(server.content)}")
        self.end_headers()
        self.wfile.write(body[: server.breaks])
        server.breaks = None

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(http, "_PAUSE", 0.001)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.content, server.ranges, server.breaks = [], CONTENT, True, None
        server.url = f"http://127.0.0.1:{server.server_port}/file.bin"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("checksum", [{"sha256": SHA256}, {"md5": MD5}, {"md5": MD5.upper()}])
def test_a_file_is_fetched_into_a_new_folder(server, tmp_path, checksum):
    assert fetch(server.url, tmp_path / "new" / "file.bin", **checksum).read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["file.bin"]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    for _ in range(2):
        fetch(server.url, tmp_path / "file.bin", md5=MD5)
    assert len(server.asked) == 1


def test_what_broke_off_goes_on_where_it_was(server, tmp_path):
    server.breaks = 70_000
    assert fetch(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=70000-"]


def test_a_killed_one_goes_on_in_the_next_call(server, tmp_path):
    (tmp_path / ".file.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT
    assert server.asked == ["bytes=1000-"]


def test_one_that_was_killed_at_the_very_end_needs_no_server(tmp_path):
    (tmp_path / ".file.bin.part").write_bytes(CONTENT)
    assert fetch("http://127.0.0.1:9/file.bin", tmp_path / "file.bin", md5=MD5).read_bytes() == CONTENT


@pytest.mark.parametrize("before", [b"other" * 100, b"other" * 50_000], ids=["shorter", "longer"])
def test_the_rest_of_another_file_is_thrown_away(server, tmp_path, before):
    (tmp_path / ".file.bin.part").write_bytes(before)
    assert fetch(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_sends_all_of_it(server, tmp_path):
    server.ranges = False
    (tmp_path / ".file.bin.part").write_bytes(CONTENT[:1000])
    assert fetch(server.url, tmp_path / "file.bin", sha256=SHA256).read_bytes() == CONTENT


def test_another_content_is_refused_and_leaves_nothing(server, tmp_path):
    server.content = b"error page"
    with pytest.raises(DataError, match=f"its sha256 is {hashlib.sha256(b'error page').hexdigest()}, not {SHA256}"):
        fetch(server.url, tmp_path / "file.bin", sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_another_file_in_its_place_is_told_and_kept(server, tmp_path):
    (tmp_path / "file.bin").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"file\.bin: is there already, but its md5 is .* remove the file"):
        fetch(server.url, tmp_path / "file.bin", md5=MD5)
    assert (tmp_path / "file.bin").read_bytes() == b"mine"


def test_a_missing_file_is_told(server, tmp_path):
    with pytest.raises(DataError, match="the server answers 404"):
        fetch(server.url.replace("file", "nothing"), tmp_path / "file.bin", md5=MD5)


@pytest.mark.parametrize(
    ("url", "checksum", "message"),
    [
        ("file:///etc/passwd", {"md5": MD5}, "must be an address that begins with http"),
        ("http://host/file.bin", {}, "give the checksum of this file"),
    ],
)
def test_what_cannot_be_trusted_is_not_fetched(tmp_path, url, checksum, message):
    with pytest.raises(ConfigError, match=message):
        fetch(url, tmp_path / "file.bin", **checksum)


def test_a_place_that_cannot_be_written_is_told(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RmldnnError, match="cannot write"):
        fetch(server.url, tmp_path / "file" / "file.bin", md5=MD5)


def _zip(path, name="a/b.txt"):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "text")


def _tar(path, name="a/b.txt"):
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo(name)
        info.size = 4
        archive.addfile(info, io.BytesIO(b"text"))


@pytest.mark.parametrize("write", [_zip, _tar])
def test_archives_are_unpacked(tmp_path, write):
    write(tmp_path / "archive")
    assert (unpack(tmp_path / "archive", tmp_path / "new") / "a" / "b.txt").read_text() == "text"


@pytest.mark.parametrize("write", [_zip, _tar])
def test_nothing_is_written_outside_the_folder(tmp_path, write):
    write(tmp_path / "archive", "../outside.txt")
    try:
        unpack(tmp_path / "archive", tmp_path / "new")
    except DataError as error:
        assert "cannot be unpacked" in str(error)
    assert not (tmp_path / "outside.txt").exists()


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "archive").write_bytes(b"error page")
    with pytest.raises(DataError, match="archive: cannot be unpacked"):
        unpack(tmp_path / "archive", tmp_path / "new")
