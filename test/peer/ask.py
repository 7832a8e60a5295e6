"""Questions from inside a world: one at a time as dnspython messages, or thousands as bare packets."""
import select
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from keys import TYPES, wire

HERE4, HERE6 = "127.0.0.1", "::1"


def family(addr):
    return socket.AF_INET6 if ":" in addr else socket.AF_INET


def send(world, packet: bytes, server=HERE4, port=53, timeout=3.0, source=None):
    """One datagram, and the datagram that comes back or None."""
    with world.net(), socket.socket(family(server), socket.SOCK_DGRAM) as sock:
        if source:
            sock.bind((source, 0))
        sock.settimeout(timeout)
        sock.sendto(packet, (server, port))
        try:
            return sock.recv(65535)
        except OSError:      # no answer, or the port is closed
            return None


def stream(world, server=HERE4, port=53, source=None, timeout=5.0):
    """A TCP connection from inside."""
    with world.net():
        sock = socket.socket(family(server), socket.SOCK_STREAM)
        sock.settimeout(timeout)
        if source:
            sock.bind((source, 0))
        sock.connect((server, port))
        return sock


def frames(sock, count):
    """Up to count messages off a connection; fewer when it ends first."""
    data, out = b"", []
    while len(out) < count:
        while len(data) >= 2 and len(data) >= 2 + (size := struct.unpack_from("!H", data)[0]):
            out.append(data[2:2 + size])
            data = data[2 + size:]
        if len(out) >= count:
            break
        try:
            more = sock.recv(65536)
        except OSError:
            break
        if not more:
            break
        data += more
    return out


def ask(world, name, rrtype="A", server=HERE4, port=53, tcp=False, timeout=8.0, source=None, **edns):
    """The answer as a dns.message, or None. edns: want_dnssec, use_edns, options, payload."""
    rrclass = edns.pop("rdclass", "IN")
    flags = edns.pop("flags", None)
    query = dns.message.make_query(name, rrtype, rrclass, **edns)
    if flags is not None:
        query.flags = flags
    if tcp:
        with stream(world, server, port, source, timeout) as sock:
            packet = query.to_wire()
            sock.sendall(struct.pack("!H", len(packet)) + packet)
            got = frames(sock, 1)
            reply = got[0] if got else None
    else:
        reply = send(world, query.to_wire(), server, port, timeout, source)
    if reply is None:
        return None
    message = dns.message.from_wire(reply, ignore_trailing=False)
    assert message.id == query.id, "an answer with another id"
    return message


def rcode(message):
    return dns.rcode.to_text(message.rcode()) if message else "none"


def values(message, rrtype="A"):
    """The rdata texts of one type in the answer section."""
    wanted = dns.rdatatype.from_text(rrtype)
    return sorted(str(r).strip('"') for rrset in message.answer if rrset.rdtype == wanted for r in rrset)


def ede(message):
    """[(code, text)] of the extended errors."""
    return [(int(o.code), o.text or "") for o in message.options if isinstance(o, dns.edns.EDEOption)]


def packet(name, rrtype, ident, edns=True) -> bytes:
    code = TYPES[rrtype]
    out = struct.pack("!6H", ident, 0x0100, 1, 0, 0, int(edns)) + wire(name) + struct.pack("!HH", code, 1)
    return out + (b"\0\0\x29\x04\xd0\0\0\0\0\0\0" if edns else b"")


class Burst:
    """What came back of many questions: rcodes by name, milliseconds by name."""

    def __init__(self):
        self.rcodes, self.ms, self.replies = {}, {}, {}

    def count(self, code):
        return sum(1 for c in self.rcodes.values() if c == code)

    def percentile(self, p):
        ordered = sorted(self.ms.values())
        return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


def burst(world, questions, server=HERE4, timeout=8.0, sockets=4, gap=0.0, per_send=64, port=53) -> Burst:
    """Send [(name, type)] as fast as the sockets take it (or `gap` seconds between sends of per_send) and gather.

    A name asked several times counts once per asking: keys are (place in the list)."""
    out, socks = Burst(), []
    with world.net():
        for _ in range(sockets):
            sock = socket.socket(family(server), socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
            sock.connect((server, port))
            sock.setblocking(False)
            socks.append(sock)
    by_fd = {s.fileno(): (i, s) for i, s in enumerate(socks)}
    poll = select.poll()
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    sent, waiting, next_send = {}, len(questions), 0.0
    at, end = 0, None

    def gather(wait_ms):
        nonlocal waiting
        for fd, event in poll.poll(wait_ms):
            which, sock = by_fd[fd]
            while True:
                try:
                    data = sock.recv(65535)
                except BlockingIOError:
                    break
                except OSError:
                    break
                key = which + sockets * (data[0] << 8 | data[1])
                if key in sent and key not in out.rcodes:
                    out.rcodes[key] = data[3] & 15
                    out.ms[key] = (time.monotonic() - sent[key]) * 1000
                    out.replies[key] = data
                    waiting -= 1

    while waiting:
        now = time.monotonic()
        if at < len(questions) and now >= next_send:
            for key in range(at, min(at + per_send, len(questions))):
                name, rrtype = questions[key]
                sent[key] = time.monotonic()
                try:
                    socks[key % sockets].send(packet(name, rrtype, key // sockets))
                except BlockingIOError:
                    gather(1)
                    socks[key % sockets].send(packet(name, rrtype, key // sockets))
            at = min(at + per_send, len(questions))
            next_send = now + gap
            end = time.monotonic() + timeout
        elif end is not None and now > end:
            break
        gather(0 if at < len(questions) and gap == 0 else 5)
    for sock in socks:
        sock.close()
    return out


def counters(world, port=9153):
    """The metrics page: {name with labels: value}."""
    with stream(world, port=port) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while more := sock.recv(65536):
            data += more
    head, _, body = data.decode().partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200"), head
    rows = (line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in rows}
