"""TLS and a proxy between a client and the strict STS: what AWS_CA_BUNDLE and HTTPS_PROXY are about.

Nothing here leaves loopback, whatever host is asked for.
"""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("127.0.0.1", "localhost")


class Authority:
    """A certificate authority that nobody trusts but who is given its `bundle`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.bundle = folder, folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Throw-away CA of a test")])
        self._certificate = self._sign(
            self._name,
            self._key,
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(signs_certificates=True), True),
        )
        self.bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, names: Sequence[str]) -> ssl.SSLContext:
        """Give a server's context with a certificate for these names, addresses and `*.example.com` among them."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            x509.Name([]),
            key,
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(signs_certificates=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), True),
        )
        form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = key.private_bytes(serialization.Encoding.PEM, form, plain)
        chain = self.folder / "server.pem"
        chain.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: tuple[x509.ExtensionType, bool]
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.timezone.utc)
        # From yesterday: a test may have set the clock back.
        builder = (
            x509.CertificateBuilder(issuer_name=self._name, subject_name=name, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(self._key, hashes.SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class _Front:
    """A server on loopback with a thread for each connection; a context manager."""

    def __init__(self) -> None:
        front = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                # A client that goes away, or distrusts us, is what is tested.
                with suppress(OSError):
                    front.serve(self.request)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def serve(self, client: socket.socket) -> None:
        """Serve a connection."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 256
    # A hanging connection must not hold up the end of a test.
    block_on_close = False


def relay(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    while True:
        readable, _, _ = select.select([one, other], [], [], 60)
        for source in readable:
            data = source.recv(65536)
            # What TLS has decrypted already makes no socket readable.
            while isinstance(source, ssl.SSLSocket) and source.pending():
                data += source.recv(source.pending())
            if not data:
                return
            (other if source is one else one).sendall(data)
        if not readable:
            return


class TlsFront(_Front):
    """TLS in front of a server on loopback, as `with TlsFront(sts.port, Authority(folder)) as front`.

    Requests go on as they came, so the STS behind verifies the signature over the name that the client asked for.
    """

    def __init__(self, port: int, authority: Authority, names: Sequence[str] = LOOPBACK) -> None:
        super().__init__()
        self.target, self._context = port, authority.context(names)
        self.handshakes = self.failed_handshakes = 0

    @property
    def url(self) -> str:
        """The endpoint URL."""
        return f"https://localhost:{self.port}"

    def serve(self, client: socket.socket) -> None:
        try:
            secure = self._context.wrap_socket(client, server_side=True)
            # With TLS 1.3 the client's refusal of our certificate comes after the handshake: wait for its first word.
            select.select([secure], [], [], 60)
            first = secure.recv(65536)
        except ssl.SSLError:
            self.failed_handshakes += 1
            return
        self.handshakes += 1
        with secure, socket.create_connection(("127.0.0.1", self.target)) as server:
            server.sendall(first)
            relay(secure, server)


class ConnectProxy(_Front):
    """An HTTP proxy, for CONNECT and for plain requests, that notes which hosts were asked for in `hosts`.

    With `upstream`, every host is that port of loopback, so that a client may ask for AWS's own; without, only
    loopback is reached and the rest is 403. With `credentials` (`user:password`), 407 to who does not send them.
    """

    def __init__(self, upstream: int | None = None, credentials: str = "") -> None:
        super().__init__()
        self.upstream, self.credentials = upstream, credentials
        self.hosts: list[str] = []
        self.refused = 0

    @property
    def url(self) -> str:
        """What HTTPS_PROXY is set to, credentials included."""
        return f"http://{self.credentials}{'@' * bool(self.credentials)}127.0.0.1:{self.port}"

    def serve(self, client: socket.socket) -> None:
        head, _, rest = _read_head(client).partition(b"\r\n\r\n")
        first, *headers = head.decode("latin-1").split("\r\n")
        if not first:
            return
        method, target, _ = first.split(" ")
        url = urlsplit(f"//{target}" if method == "CONNECT" else target)
        host, port = url.hostname or "", url.port or 80
        self.hosts.append(f"{host}:{port}")
        expected = "Basic " + base64.b64encode(self.credentials.encode()).decode()
        sent = [line.partition(":")[2].strip() for line in headers if line.lower().startswith("proxy-authorization:")]
        if self.credentials and sent != [expected]:
            self.refused += 1
            client.sendall(_refusal("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="test"\r\n'))
            return
        if self.upstream is None and host not in LOOPBACK:
            client.sendall(_refusal("403 Forbidden"))
            return
        with socket.create_connection(("127.0.0.1", self.upstream or port)) as server:
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                # One request for a connection, and the client is told so: the next might be for another host.
                kept = [line for line in headers if not line.lower().startswith(("proxy-", "connection:"))]
                path = target.split(url.netloc, 1)[1] or "/"
                lines = [f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]
                server.sendall("\r\n".join(lines).encode("latin-1") + rest + _read(client, _length(kept) - len(rest)))
                client.sendall(_read_head(server).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            relay(client, server)


def _read_head(client: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (more := client.recv(65536)):
        data += more
    return data


def _length(headers: list[str]) -> int:
    return next((int(line[15:]) for line in headers if line.lower().startswith("content-length:")), 0)


def _read(client: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := client.recv(size - len(data))):
        data += more
    return data


def _refusal(status: str, header: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{header}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()
