"""What a client can do to a server of DNS over HTTPS with frames and requests of its own making: each attack ends its
own connection at most, in bounded memory, and somebody else's question is answered meanwhile and after."""
import contextlib
import os
import socket
import ssl
import struct
import time
import warnings

import pytest

from ask import stream
from server import memory_of
from test_doh import TLS, curl, encoded, question, served_world  # noqa: F401

DATA, HEADERS, RST, SETTINGS, PING, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, END_HEADERS = 1, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
GROWTH_MAX = 4 << 20             # bytes: what a connection may have in its buffers, and room for the allocator
FLOOD = 20000


def frame(kind, flags, number, payload=b""):
    return struct.pack("!I", len(payload))[1:] + bytes([kind, flags]) + struct.pack("!I", number) + payload


def literal(name, value):
    """A field that goes into no table (RFC7541 6.2.2)."""
    def text(s):
        n, head = len(s), b""
        if n < 127:
            return bytes([n]) + s
        n, head = n - 127, bytes([127])
        while n >= 128:
            head, n = head + bytes([n % 128 + 128]), n // 128
        return head + bytes([n]) + s
    return b"\0" + text(name) + text(value)


def request(path=None, method=b"GET", more=b""):
    path = path or f"/dns-query?dns={encoded(question())}".encode()
    return (literal(b":method", method) + literal(b":scheme", b"https") + literal(b":authority", b"dns.test") +
            literal(b":path", path) + more)


def lax(protocols=("h2",)):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(list(protocols))
    return context


class Client:
    """One HTTP/2 connection, frame by frame."""

    def __init__(self, world, settings=b""):
        self.sock = lax().wrap_socket(stream(world, port=443))
        self.data, self.ended = b"", False
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data):
        """False once the other side has closed."""
        self.sock.settimeout(5)
        try:
            self.sock.sendall(data)
        except OSError:
            self.ended = True
        return not self.ended

    def frames(self, until, seconds=10):
        """(kind, flags, stream, payload) as they come, until one is wanted or the connection ends."""
        got, end = [], time.monotonic() + seconds
        self.sock.settimeout(0.5)
        while time.monotonic() < end:
            while len(self.data) >= 9 and len(self.data) >= 9 + int.from_bytes(self.data[:3], "big"):
                size = int.from_bytes(self.data[:3], "big")
                head, payload, self.data = self.data[:9], self.data[9:9 + size], self.data[9 + size:]
                got.append((head[3], head[4], int.from_bytes(head[5:9], "big"), payload))
                if until(got[-1]):
                    return got
            try:
                more = self.sock.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                more = b""
            if not more:
                self.ended = True
                return got
            self.data += more
        return got

    def answer(self, number):
        """Is the stream answered?"""
        got = self.frames(lambda f: f[0] in (DATA, RST) and f[2] == number)
        return any(f[0] == DATA and f[2] == number and f[3] for f in got)

    def is_closed(self, seconds=10):
        self.frames(lambda f: False, seconds)
        return self.ended

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()


@pytest.fixture(name="calm")
def calm_server(served):
    """An honest client is answered at once before and after; memory does not grow."""
    def honest():
        begun = time.monotonic()
        assert curl(served, "--http2", f"{TLS}/dns-query?dns={encoded(question())}")[0] == 200
        assert time.monotonic() - begun < 4
    honest()
    before = memory_of(served.server.pid)
    yield served
    honest()
    assert served.server.alive()
    if os.environ.get("SIGNET_SANITIZED") != "1":
        assert memory_of(served.server.pid) - before < GROWTH_MAX


def test_the_twin_many_requests_are_all_answered(calm):
    with Client(calm) as c:
        for k in range(10):
            numbers = range(1 + 200 * k, 1 + 200 * k + 60, 2)
            c.send(b"".join(frame(HEADERS, END_STREAM | END_HEADERS, n, request()) for n in numbers))
            want = set(numbers)
            c.frames(lambda f, want=want: f[0] == DATA and (want.discard(f[2]) or not want))
            assert not want and not c.ended


def test_rapid_reset(calm):
    """CVE-2023-44487: requests that are given up at once, over and over."""
    with Client(calm) as c:
        post = request(method=b"POST", more=literal(b"content-type", b"application/dns-message"))
        for n in range(1, 2 * FLOOD, 200):
            if not c.send(b"".join(frame(HEADERS, END_HEADERS, i, post) + frame(RST, 0, i, struct.pack("!I", 8))
                                   for i in range(n, n + 200, 2))):
                break
        assert c.is_closed()


def test_made_you_reset(calm):
    """CVE-2025-8671: frames for which it is the server that resets the stream."""
    with Client(calm) as c:
        for n in range(1, 2 * FLOOD, 200):
            if not c.send(b"".join(frame(HEADERS, END_STREAM | END_HEADERS, i, request()) +
                                   frame(WINDOW, 0, i, struct.pack("!I", 0)) for i in range(n, n + 200, 2))):
                break
        assert c.is_closed()


@pytest.mark.parametrize("kind", ["continuation", "settings", "ping", "empty data"])
def test_floods(calm, kind):
    """CVE-2024-27316 and its like: frames that cost the sender nothing. It does not read what comes back."""
    one = {"continuation": frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 100)), "settings": frame(SETTINGS, 0, 0),
           "ping": frame(PING, 0, 0, bytes(8)), "empty data": frame(DATA, 0, 1)}[kind]
    with Client(calm) as c:
        flags = {"continuation": 0}.get(kind, END_HEADERS)
        c.send(frame(HEADERS, flags, 1, request(method=b"POST")))
        for _ in range(FLOOD // 100):
            if not c.send(one * 100):
                break
        assert c.is_closed()


@pytest.mark.parametrize("size", [20000, 5 << 20])
def test_long_paths(calm, size):
    """A dns= parameter beyond what any question has (CVE-2026-32936): refused unread, over either HTTP."""
    path = b"/dns-query?dns=" + b"A" * size
    with Client(calm) as c:
        block = request(path)
        c.send(frame(HEADERS, END_STREAM, 1, block[:16000]))
        for at in range(16000, len(block), 16000):
            if not c.send(frame(CONTINUATION, END_HEADERS if at + 16000 >= len(block) else 0, 1,
                                block[at:at + 16000])):
                break
        got = c.frames(lambda f: f[0] in (DATA, RST) and f[2] == 1)
        assert all(f[3] in (b"", b"URI Too Long") for f in got if f[0] == DATA)
    with calm.net(), socket.create_connection(("127.0.0.1", 8080), timeout=10) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100).split()[1] in (b"414", b"431")


def test_more_streams_than_there_may_be(calm):
    """The bound is told, and those beyond it are refused without harm to the others."""
    with Client(calm) as c:
        post = request(method=b"POST", more=literal(b"content-type", b"application/dns-message"))
        c.send(b"".join(frame(HEADERS, END_HEADERS, n, post) for n in range(1, 400, 2)))
        got = c.frames(lambda f: f[0] == RST and f[2] == 399)
        refused = {f[2] for f in got if f[0] == RST}
        assert refused == set(range(201, 400, 2)), sorted(refused)
        c.send(frame(DATA, END_STREAM, 1, question()))
        assert c.answer(1)


def test_bodies_that_are_never_whole(calm):
    """Half a message on each stream: what is kept is bounded, and each connection has its time."""
    clients = [Client(calm) for _ in range(10)]
    try:
        post = request(method=b"POST", more=literal(b"content-type", b"application/dns-message"))
        for c in clients:
            c.send(b"".join(frame(HEADERS, END_HEADERS, n, post) + frame(DATA, 0, n, b"x" * 4000)
                            for n in range(1, 200, 2)))
        assert curl(calm, "--http2", f"{TLS}/dns-query?dns={encoded(question())}")[0] == 200
        assert all(c.is_closed(12) for c in clients)
    finally:
        for c in clients:
            c.sock.close()


def test_answers_that_are_never_read(calm):
    """A window of nothing (CVE-2019-9517): requests are answered into bounds, and then it is over."""
    with Client(calm, settings=struct.pack("!HI", 4, 0)) as c:
        for n in range(1, 2 * FLOOD, 20):
            if not c.send(b"".join(frame(HEADERS, END_STREAM | END_HEADERS, i, request())
                                   for i in range(n, n + 20, 2))):
                break
        assert c.is_closed(15)


@pytest.mark.parametrize("way", ["tls", "clear"])
def test_a_request_byte_by_byte(calm, way):
    """F1: who sends a byte a second has the time that a message has, and no more."""
    sock = stream(calm, port=443 if way == "tls" else 8080)
    if way == "tls":
        sock = lax(["http/1.1"]).wrap_socket(sock)
    begun = time.monotonic()
    with sock:
        with contextlib.suppress(OSError):
            for byte in b"GET /dns-query?dns=" + b"A" * 30:
                sock.sendall(bytes([byte]))
                sock.settimeout(0.5)
                with contextlib.suppress(TimeoutError):
                    if not sock.recv(100):
                        break
    assert time.monotonic() - begun < 8


def test_what_tls_may_be(calm):
    """F6: TLS 1.1 and another protocol's name are refused; no name at all is HTTP/1.1."""
    def reply(context):
        with calm.net(), socket.create_connection(("127.0.0.1", 443), timeout=5) as raw, \
                context.wrap_socket(raw) as sock:
            sock.sendall(f"GET /dns-query?dns={encoded(question())} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            return sock.recv(20)
    old = lax(["h2"])
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    for context in (old, lax(["dot"])):
        with pytest.raises(OSError):
            reply(context)
    nothing = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    nothing.check_hostname, nothing.verify_mode = False, ssl.CERT_NONE
    assert reply(nothing).startswith(b"HTTP/1.1 200") and reply(lax(["http/1.1"])).startswith(b"HTTP/1.1 200")


def test_lengths_that_lie(calm):
    """F4: a length and a coding, two lengths, a length without its bytes: no request hides behind another."""
    head = b"POST /dns-query HTTP/1.1\r\nHost: a\r\nContent-Type: application/dns-message\r\n"
    hidden = f"GET /dns-query?dns={encoded(question())} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    for lines in (b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
                  b"Content-Length: 4\r\nContent-Length: 60\r\n", b"Content-Length: 0x10\r\n",
                  b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n"):
        with calm.net(), socket.create_connection(("127.0.0.1", 8080), timeout=5) as sock:
            sock.sendall(head + lines + b"\r\n0\r\n\r\n" + hidden)
            data = b""
            with contextlib.suppress(OSError):
                while more := sock.recv(4096):
                    data += more
            assert data.count(b"HTTP/1.1 ") == 1 and data.split()[1] in (b"400", b"501"), (lines, data)
    with calm.net(), socket.create_connection(("127.0.0.1", 8080), timeout=5) as sock:
        sock.sendall(head + b"Content-Length: %d\r\n\r\n" % len(question()) + question() + hidden)
        data = b""
        while data.count(b"HTTP/1.1 200") < 2:
            data += sock.recv(4096)
