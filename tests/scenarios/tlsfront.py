# SPDX-License-Identifier: MIT
"""DNS over TLS in front of a scripted upstream, and the certificates for it."""

import contextlib
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading

IO_SECONDS = 20


class Certificates:
    """A certificate authority of its own, and a certificate for one name."""

    def __init__(self, name):
        self.name = name
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="asockd-tls-", dir="/tmp"))
        self.directory.chmod(0o755)
        self.authority = self.directory / "authority.pem"
        self.certificate = self.directory / "certificate.pem"
        self.key = self.directory / "key.pem"

    def __enter__(self):
        new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
               "-nodes", "-days", "2"]
        self.openssl(*new, "-keyout", "authority.key", "-out", "authority.pem",
                     "-subj", "/CN=authority.test")
        self.openssl(*new, "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=server",
                     "-CA", "authority.pem", "-CAkey", "authority.key",
                     "-addext", f"subjectAltName=DNS:{self.name}",
                     "-addext", "basicConstraints=critical,CA:FALSE")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def openssl(self, *words):
        """A command that has to succeed, in the directory."""
        done = subprocess.run(["openssl", *words], cwd=self.directory, capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, done.stderr


class TlsFront:
    """Accepts TLS on a free port and passes all on to the upstream's first server, over TCP."""

    def __init__(self, certificates, upstream):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates.certificate, certificates.key)
        self.upstream = (upstream.addresses[0], upstream.port)
        self.address = "127.0.0.1"
        self.listener = socket.create_server((self.address, 0))
        self.port = self.listener.getsockname()[1]
        self.connections = 0
        self.names = []
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(IO_SECONDS)

    def run(self):
        """A thread for each connection, until the listener is shut."""
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, plain):
        """One connection."""
        with contextlib.suppress(OSError, ssl.SSLError), plain:
            plain.settimeout(IO_SECONDS)
            with self.context.wrap_socket(plain, server_side=True) as client, \
                    socket.create_connection(self.upstream, IO_SECONDS) as server:
                self.connections += 1
                threading.Thread(target=self.copy, args=(server, client), daemon=True).start()
                self.copy(client, server)

    @staticmethod
    def copy(source, target):
        """Bytes of one direction, until their end."""
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                target.sendall(data)
