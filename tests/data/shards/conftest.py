"""Shards as others write them, and a server that gives them out."""

import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest


@pytest.fixture(scope="session")
def tar():
    """Writes a tar file of members, given as bytes or as `TarInfo`."""

    def tar(path, members):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(path, "w") as archive:
            for name, data in members:
                info = data if isinstance(data, tarfile.TarInfo) else tarfile.TarInfo(name)
                if isinstance(data, bytes):
                    info.size = len(data)
                archive.addfile(info, io.BytesIO(data) if isinstance(data, bytes) else None)
        return path

    return tar


class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        if self.server.faults:
            self.server.faults -= 1
            self.send_error(503)
            return
        super().do_GET()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """A server of the folder `www`; `asked` lists what was asked for, `faults` counts answers to fail."""
    folder = tmp_path / "www"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder))) as server:
        server.asked, server.faults, server.folder = [], 0, folder
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
