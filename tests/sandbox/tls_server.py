"""A web server with TLS on this machine, with files to hand out."""

from __future__ import annotations

import http.server
import ssl
import threading
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass


class TlsServer:
    """Serves a folder at https://localhost:port/, or without TLS at http://localhost:port/.

    Attributes:
        port: Where it listens, on loopback.
        authority: The file of the authority that signed its certificate.
    """

    def __init__(self, folder: Path, *, tls: bool = True) -> None:
        self._server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), lambda *args: _Handler(*args, directory=str(folder))
        )
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.authority = folder / "authority.pem"
        if tls:
            authority = trustme.CA()
            authority.cert_pem.write_to_path(self.authority)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("localhost", "other.example").configure_cert(context)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def serving(folder: Path, *, tls: bool = True) -> Iterator[TlsServer]:
    server = TlsServer(folder, tls=tls)
    try:
        yield server
    finally:
        server.close()
