"""The test hosts: DNS servers on UDP, TCP (port 53) and TLS (port 853) that answer by rule and count.

One process serves every address. It is driven over a unix socket, one JSON object a line each way
(see Hosts.do_* for the commands). Rules are tried in order, the first that matches decides:

  match    name (suffix; "" is every name), exact, type, addr, proto (udp|tcp|tls), times (how often it may match)
  answer   a, aaaa, txt (lists), cname (list: the chain), rcode, nodata, ttl, ad, big (bytes of TXT), ede
  manner   delay (ms), silent, tc (over UDP), close ("before" | "mid"), noedns (FORMERR to EDNS)
  lies     before (list of forgeries sent first, then gap ms, then the answer), mutate (a forgery instead)
           forgeries: wrong_id wrong_name wrong_type wrong_class opcode qr0 refused servfail formerr garbage
           short header tc other_addr other_port

Without a rule an A answer is made of the name (see address_of), so a swapped answer shows.
The hot path copies the question's bytes and appends canned records; no message objects are built.
"""
import asyncio
import base64
import collections
import contextlib
import ctypes
import json
import os
import random
import signal
import socket
import ssl
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from keys import TYPES, wire  # noqa: E402

PORTS = {"udp": 53, "tcp": 53, "tls": 853}
SEEN_MAX = 20000   # questions remembered one by one; counters go on
QUESTION_MAX = 65535
NAMES = {v: k for k, v in TYPES.items()}


def address_of(name: str) -> str:
    """The address the hosts give to a name without a rule."""
    h = zlib.crc32(wire(name))
    return f"198.{18 + (h >> 16 & 1)}.{h >> 8 & 255}.{h & 255}"


class Question:
    __slots__ = ("id", "flags", "raw", "name", "starts", "qtype", "edns", "do", "size", "proto", "addr", "options",
                 "length")


def parse(data: bytes, proto: str, addr: str):
    """The first question of a message, or None when it has none that can be read."""
    if len(data) < 17:
        return None
    q = Question()
    q.id, q.flags, qd, an, ns, ar = struct.unpack_from("!6H", data)
    at, q.starts = 12, []
    while at < len(data) and data[at]:
        if data[at] > 63:
            return None
        q.starts.append(at - 12)
        at += 1 + data[at]
    if qd < 1 or at + 5 > len(data) or q.flags & 0x8000:
        return None
    q.name = data[12:at + 1].lower()
    q.qtype = data[at + 1] << 8 | data[at + 2]
    q.raw = data[12:at + 5]
    q.proto, q.addr, q.length = proto, addr, len(data)
    q.edns, q.do, q.size, q.options = False, False, 512, []
    at += 5
    if not an and not ns and ar and data[at:at + 3] == b"\0\0\x29" and at + 11 <= len(data):
        q.edns = True
        q.size = max(512, data[at + 3] << 8 | data[at + 4])
        q.do = bool(data[at + 7] & 0x80)
        end, at = at + 11 + (data[at + 9] << 8 | data[at + 10]), at + 11
        while at + 4 <= end <= len(data):
            code, size = struct.unpack_from("!HH", data, at)
            q.options.append(code)
            at += 4 + size
    return q


def rr(owner: bytes, rrtype: int, ttl: int, rdata: bytes) -> bytes:
    return owner + struct.pack("!HHIH", rrtype, 1, ttl, len(rdata)) + rdata


class Rule:
    """One row of behaviour; see the module's text."""

    def __init__(self, row):
        self.row = row
        self.suffix = wire(row.get("name", ""))
        self.exact = row.get("exact", False)
        types = row.get("type")
        types = [types] if isinstance(types, str) else types
        self.types = {TYPES.get(t) or int(t[4:]) for t in types} if types else None
        self.addr, self.proto = row.get("addr"), row.get("proto")
        self.left = row.get("times", -1)

    def matches(self, q: Question) -> bool:
        if self.exact and q.name != self.suffix:
            return False
        if self.types and q.qtype not in self.types or self.left == 0:
            return False
        if self.addr and self.addr != q.addr or self.proto and self.proto != q.proto:
            return False
        self.left -= self.left > 0
        return True


PLAIN = Rule({})


class Zone:
    """The rules, by the suffix they are for, and the signed answers."""

    def __init__(self, canned_path):
        self.by_suffix = {}
        self.canned = {}
        for key, entry in json.load(open(canned_path)).items():
            name, rrtype = key.rsplit("/", 1)
            below = name.startswith("*.")
            parts = [[(base64.b64decode(o), t, ttl, base64.b64decode(r)) for o, t, ttl, r in entry[part]]
                     for part in ("an", "ns")]
            self.canned[(wire(name[2:] if below else name), below, TYPES.get(rrtype, 0))] = (entry["rcode"], *parts)

    def set_rules(self, rows):
        self.by_suffix = {}
        for i, row in enumerate(rows):
            rule = Rule(row)
            self.by_suffix.setdefault(rule.suffix, []).append((i, rule))

    def rule_for(self, q: Question) -> Rule:
        found = []
        for start in q.starts:
            found += self.by_suffix.get(q.name[start:], ())
        found += self.by_suffix.get(b"\0", ())
        if len(found) > 1:
            found.sort(key=lambda pair: pair[0])
        return next((rule for _, rule in found if rule.matches(q)), PLAIN)

    def canned_for(self, q: Question):
        for key in ((q.name, False, q.qtype), (q.name, False, 0)):
            if key in self.canned:
                return self.canned[key]
        for start in q.starts[1:]:
            if (q.name[start:], True, 0) in self.canned:
                return self.canned[(q.name[start:], True, 0)]
        return None


def head(q: Question, rcode=0, counts=(0, 0, 0), extra=0) -> bytes:
    return struct.pack("!6H", q.id, 0x8080 | q.flags & 0x0110 | extra | rcode, 1, *counts) + q.raw


def opt(q: Question, row) -> bytes:
    options = b""
    if "ede" in row:
        code, text = row["ede"]
        options = struct.pack("!HHH", 15, 2 + len(text), code) + text.encode()
    return b"\0\0\x29" + struct.pack("!HIH", 1232, 0x8000 if q.do else 0, len(options)) + options


def soa(q: Question, ttl: int) -> bytes:
    start = q.starts[-2] if len(q.starts) > 1 else q.starts[-1] if q.starts else 0
    owner = struct.pack("!H", 0xc000 | 12 + start) if q.starts else b"\0"
    rdata = b"\x02ns" + owner + b"\x04host" + owner + struct.pack("!5I", 1, 7200, 3600, 86400, ttl)
    return rr(owner, 6, ttl, rdata)


def plain_rdatas(q: Question, row):
    """The rdata of the question's type by the rule, or what the name itself gives."""
    given = {1: "a", 28: "aaaa", 16: "txt"}.get(q.qtype)
    if given in row:
        if q.qtype == 16:
            return [bytes([len(t)]) + t.encode() for t in row["txt"]]
        family = socket.AF_INET if q.qtype == 1 else socket.AF_INET6
        return [socket.inet_pton(family, ip) for ip in row[given]]
    if {"a", "aaaa", "txt"} & row.keys():
        return []
    h = zlib.crc32(q.name)
    return {1: [bytes([198, 18 + (h >> 16 & 1), h >> 8 & 255, h & 255])],
            28: [b"\x26\x00\x1f\x00" + bytes(8) + h.to_bytes(4, "big")],
            16: [b"\x10signet test host"]}.get(q.qtype, [])


def sections(q: Question, row):
    """(rcode, answers, authority) as bytes with their counts."""
    ttl = row.get("ttl", 300)
    rcode = row.get("rcode", 0)
    if rcode == 3 or row.get("nodata"):
        return rcode, b"", 0, soa(q, ttl), 1
    if rcode:
        return rcode, b"", 0, b"", 0
    if "big" in row:
        count = row["big"] // 200
        texts = b"".join(rr(b"\xc0\x0c", 16, ttl, b"\xc7" + f"{i:0199d}".encode()) for i in range(count))
        return 0, texts, count, b"", 0
    out, count, owner = b"", 0, b"\xc0\x0c"
    for target in row.get("cname", ()):
        rdata = wire(target)
        out += rr(owner, 5, ttl, rdata)
        owner = struct.pack("!H", 0xc000 | 12 + len(q.raw) + len(out) - len(rdata))
        count += 1
    if count and q.qtype == 5:
        return 0, out, count, b"", 0
    rdatas = plain_rdatas(q, row)
    for rdata in rdatas:
        out += rr(owner, q.qtype, ttl, rdata)
        count += 1
    return (0, out, count, b"", 0) if count else (0, b"", 0, soa(q, ttl), 1)


def canned_sections(q: Question, canned):
    rcode, an, ns = canned
    if not q.do:
        an = [r for r in an if r[1] != 46]
        ns = [r for r in ns if r[1] not in (46, 47)]
    return rcode, b"".join(rr(*r) for r in an), len(an), b"".join(rr(*r) for r in ns), len(ns)


def answer(q: Question, row, canned=None) -> bytes:
    if row.get("noedns") and q.edns:
        return head(q, 1)
    rcode, an, n_an, ns, n_ns = canned_sections(q, canned) if canned else sections(q, row)
    extra = 0x20 if row.get("ad") else 0
    if q.proto == "udp" and (row.get("tc") or 12 + len(q.raw) + len(an) + len(ns) + 11 > min(q.size, 1232)):
        return head(q, rcode, (0, 0, int(q.edns)), 0x200) + (opt(q, row) if q.edns else b"")
    return head(q, rcode, (n_an, n_ns, int(q.edns)), extra) + an + ns + (opt(q, row) if q.edns else b"")


POISON = bytes([203, 0, 113, 66])   # the address no honest answer ever holds


def forgery(kind: str, q: Question) -> bytes:
    """A message that looks like an answer with POISON in it, wrong in one place."""
    raw, flags, ident = bytearray(q.raw), 0x8180, q.id
    if kind == "wrong_id":
        ident = (q.id + random.randrange(1, 65536)) & 0xffff
    elif kind == "wrong_name":
        raw[1] = ord("z") if raw[1] != ord("z") else ord("y")
    elif kind == "wrong_type":
        raw[-3] ^= 16
    elif kind == "wrong_class":
        raw[-1] = 3
    elif kind == "opcode":
        flags |= 4 << 11
    elif kind == "qr0":
        flags &= 0x7fff
    elif kind in ("refused", "servfail", "formerr"):
        code = {"refused": 5, "servfail": 2, "formerr": 1}[kind]
        return struct.pack("!6H", ident, flags | code, 1, 0, 0, 0) + q.raw
    elif kind == "garbage":
        return struct.pack("!H", q.id) + bytes(random.randrange(256) for _ in range(40))
    elif kind == "header":
        return struct.pack("!6H", ident, flags, 1, 1, 0, 0)
    elif kind == "tc":
        return struct.pack("!6H", ident, flags | 0x200, 1, 0, 0, 0) + q.raw
    body = rr(b"\xc0\x0c", 1, 300, POISON)
    if kind == "short":
        return struct.pack("!6H", ident, flags, 1, 1, 0, 1) + bytes(raw) + body + b"\0\0\x29\x04\xd0\0\0\0\0\0\x40"
    return struct.pack("!6H", ident, flags, 1, 1, 0, 0) + bytes(raw) + body


class Sniffer:
    """Packets that arrive for a port, counted by the kernel's own filter: nothing is read, nothing lost."""

    def __init__(self, port: int):
        rows = [(0x30, 0, 0, 0), (0x54, 0, 0, 0xf0),      # the version
                (0x15, 0, 6, 0x40),                       # IPv4:
                (0x30, 0, 0, 9), (0x15, 1, 0, 17), (0x15, 0, 10, 6),    # UDP or TCP,
                (0xb1, 0, 0, 0), (0x48, 0, 0, 2), (0x15, 6, 7, port),   # the port behind a header of any length
                (0x15, 0, 6, 0x60),                       # IPv6:
                (0x30, 0, 0, 6), (0x15, 1, 0, 17), (0x15, 0, 3, 6),
                (0x28, 0, 0, 42), (0x15, 0, 1, port),
                (0x06, 0, 0, 1), (0x06, 0, 0, 0)]         # counted; not counted
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        code = b"".join(struct.pack("HBBI", *row) for row in rows)
        kept = ctypes.create_string_buffer(code, len(code))
        self.sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", len(rows), ctypes.addressof(kept)))
        self.total = 0
        self.count()
        self.total = 0

    def count(self) -> int:
        """Packets since the start. PACKET_STATISTICS counts what passed the filter, and starts anew when read."""
        packets, _dropped = struct.unpack("II", self.sock.getsockopt(263, 6, 8))
        self.total += packets
        return self.total


class Tally:
    """Everything counted since the last reset."""

    def __init__(self):
        self.questions = collections.Counter()   # (name, type)
        self.by_addr = collections.Counter()
        self.by_proto = collections.Counter()
        self.connects = collections.Counter()    # "addr proto"
        self.tls = collections.Counter()         # handshakes, resumed, failed
        self.names = collections.Counter()       # server names asked for in handshakes
        self.seen = []

    def add(self, q: Question, source):
        self.questions[q.name, q.qtype] += 1
        self.by_addr[q.addr] += 1
        self.by_proto[q.proto] += 1
        if len(self.seen) < SEEN_MAX:
            self.seen.append((q, source, time.monotonic()))


def text(name: bytes) -> str:
    out, at = [], 0
    while name[at]:
        out.append(name[at + 1:at + 1 + name[at]].decode("latin-1"))
        at += 1 + name[at]
    return ".".join(out) + "."


class Stream(asyncio.Protocol):
    """One connection, plain or TLS, with the questions in it."""

    def __init__(self, host, proto):
        self.host, self.proto, self.buffer, self.transport = host, proto, b"", None

    def connection_made(self, transport):
        self.transport = transport
        if not self.host.listeners:      # closed while this one was shaking hands
            transport.abort()
            return
        self.host.streams.add(self)
        tls = transport.get_extra_info("ssl_object")
        if tls:
            self.host.tally.tls["handshakes"] += 1
            self.host.tally.tls["resumed"] += bool(tls.session_reused)
            self.host.tally.tls[tls.version()] += 1

    def connection_lost(self, exc):
        self.host.streams.discard(self)

    def data_received(self, data):
        self.buffer += data
        out, at, buffer = [], 0, self.buffer
        while len(buffer) - at >= 2:
            size = buffer[at] << 8 | buffer[at + 1]
            if len(buffer) - at - 2 < size:
                break
            q = parse(buffer[at + 2:at + 2 + size], self.proto, self.host.addr)
            at += 2 + size
            if q and not self.host.take(q, self, out):
                return
        self.buffer = buffer[at:]
        if out:
            self.transport.write(b"".join(out))

    def send(self, message, how=None):
        if not self.transport.is_closing():
            frame = struct.pack("!H", len(message)) + message
            self.transport.write(frame[:len(frame) // 2] if how == "mid" else frame)

    def forge(self, kind, q):
        if not kind.startswith("other_"):
            self.send(forgery(kind, q))

    def source(self):
        return self.transport.get_extra_info("peername")[1]


class Datagram:
    """The way back to one UDP question."""

    __slots__ = ("host", "sock", "peer")

    def __init__(self, host, sock, peer):
        self.host, self.sock, self.peer = host, sock, peer

    def send(self, message, how=None):
        try:
            self.sock.sendto(message, self.peer)
        except OSError:
            pass

    def forge(self, kind, q):
        if kind == "other_port":
            self.host.site.stray(self.host.addr).sendto(forgery("plain", q), self.peer)
        elif kind == "other_addr":
            others = [h.udp for h in self.host.site.hosts.values() if h is not self.host and h.udp]
            others[0].sendto(forgery("plain", q), self.peer)
        else:
            self.send(forgery(kind, q))

    def source(self):
        return self.peer[1]


class Host:
    """One address: its sockets, certificate, connections."""

    def __init__(self, site, addr, cert):
        self.site, self.addr, self.cert = site, addr, cert
        self.streams, self.tally, self.udp, self.listeners = set(), site.tally, None, []
        self.tasks = set()

    def open(self):
        family = socket.AF_INET6 if ":" in self.addr else socket.AF_INET
        ports = self.site.ports
        self.udp = self.bound(family, socket.SOCK_DGRAM, ports["udp"])
        self.site.loop.add_reader(self.udp, self.on_udp)
        for proto in ("tcp", "tls"):
            sock = self.bound(family, socket.SOCK_STREAM, ports[proto])
            sock.listen(512)
            self.site.loop.add_reader(sock, self.on_accept, sock, proto)
            self.listeners.append(sock)

    def bound(self, family, kind, port):
        sock = socket.socket(family, kind)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_DGRAM:
            with contextlib.suppress(PermissionError):
                sock.setsockopt(socket.SOL_SOCKET, 33, 4 << 20)   # SO_RCVBUFFORCE: a burst is not lost here
        sock.bind((self.addr, port))
        return sock

    def close(self):
        for sock in [s for s in (self.udp, *self.listeners) if s]:
            self.site.loop.remove_reader(sock)
            sock.close()
        self.udp, self.listeners = None, []
        self.kick()

    def kick(self):
        for stream in list(self.streams):
            stream.transport.abort()

    def on_udp(self):
        for _ in range(256):
            try:
                data, peer = self.udp.recvfrom(QUESTION_MAX)
            except OSError:
                return
            q = parse(data, "udp", self.addr)
            if q:
                self.take(q, Datagram(self, self.udp, peer), None)

    def on_accept(self, sock, proto):
        for _ in range(64):
            try:
                conn, _peer = sock.accept()
            except OSError:
                return
            self.tally.connects[f"{self.addr} {proto}"] += 1
            task = self.site.loop.create_task(self.serve(conn, proto))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def serve(self, conn, proto):
        context = None
        if proto == "tls":
            if self.site.slow:
                await asyncio.sleep(self.site.slow / 1000)
            context = self.site.context(self.cert)
        try:
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self.site.loop.connect_accepted_socket(lambda: Stream(self, proto), conn, ssl=context)
        except (OSError, ssl.SSLError, asyncio.TimeoutError):
            self.tally.tls["failed"] += 1
            conn.close()

    def take(self, q, way, out) -> bool:
        """Answer one question by its rule; False when the connection was given up."""
        self.tally.add(q, way.source())
        rule = self.site.zone.rule_for(q)
        row = rule.row
        if rule is PLAIN:
            message = answer(q, row, self.site.zone.canned_for(q))
            if out is None:
                way.send(message)
            else:
                out.append(struct.pack("!H", len(message)) + message)
            return True
        if row.get("silent"):
            return True
        close = row.get("close")
        if close and q.proto != "udp":
            if close == "mid":
                way.send(answer(q, row), "mid")
                way.transport.close()
            else:
                way.transport.abort()
            return False
        gap = row.get("delay", 0)
        for kind in row.get("before", ()):
            way.forge(kind, q)
        if row.get("before"):
            gap = row.get("gap", 50)
        if row.get("mutate"):
            self.later(gap, way.forge, row["mutate"], q)
        else:
            self.later(gap, way.send, answer(q, row, None if row.keys() & ANSWERS else self.site.zone.canned_for(q)))
        return True

    def later(self, gap, call, *args):
        if gap:
            self.site.loop.call_later(gap / 1000, call, *args)
        else:
            call(*args)


ANSWERS = {"a", "aaaa", "txt", "cname", "rcode", "nodata", "big", "noedns", "ede"}


class Site:
    """All hosts of a test, and their control socket."""

    host_class = Host

    def __init__(self, config, loop):
        self.loop, self.slow, self.contexts, self.strays = loop, 0, {}, {}
        self.folder = config["keys"]
        self.tally = Tally()
        self.zone = Zone(os.path.join(self.folder, "canned.json"))
        self.ports = config.get("ports", PORTS)
        self.sniffers = {port: Sniffer(port) for port in (53, 853)} if config.get("sniff", True) else {}
        self.hosts = {addr: self.host_class(self, addr, cert) for addr, cert in config["hosts"].items()}
        for host in self.hosts.values():
            host.open()

    def context(self, cert):
        if cert not in self.contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(self.folder, cert + ".pem"))
            context.set_alpn_protocols(["dot"])
            context.sni_callback = lambda _sock, name, _ctx: self.tally.names.update([name or ""])
            self.contexts[cert] = context
        return self.contexts[cert]

    def stray(self, addr):
        """A socket at the host's address and another port."""
        if addr not in self.strays:
            sock = socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((addr, 0))
            self.strays[addr] = sock
        return self.strays[addr]

    def chosen(self, ask):
        addrs = ask.get("addr", list(self.hosts))
        return [self.hosts[a] for a in ([addrs] if isinstance(addrs, str) else addrs)]

    def do_rules(self, ask):
        """rules: the rows from now on"""
        self.zone.set_rules(ask["rules"])

    def do_reset(self, _ask):
        """forget the counts"""
        self.tally = Tally()
        for host in self.hosts.values():
            host.tally = self.tally
        for sniffer in self.sniffers.values():
            sniffer.count()
            sniffer.total = 0

    def do_counts(self, _ask):
        """what was counted since the last reset"""
        t = self.tally
        return {"questions": {f"{text(n)}/{NAMES.get(qt, f'TYPE{qt}')}": c for (n, qt), c in t.questions.items()},
                "by_addr": t.by_addr, "by_proto": t.by_proto, "connects": t.connects, "tls": t.tls,
                "names": t.names, "packets": {str(port): s.count() for port, s in self.sniffers.items()},
                "open": sum(len(h.streams) for h in self.hosts.values())}

    def do_seen(self, ask):
        """each question below a name: addr, proto, port it came from, id, flags, type, EDNS"""
        suffix = wire(ask.get("name", ""))
        return [{"addr": q.addr, "proto": q.proto, "source": source, "id": q.id, "flags": q.flags,
                 "name": text(q.raw), "type": NAMES.get(q.qtype, f"TYPE{q.qtype}"), "edns": q.edns, "do": q.do,
                 "size": q.size, "length": q.length, "options": q.options, "at": at}
                for q, source, at in self.tally.seen if q.name.endswith(suffix)]

    def do_cert(self, ask):
        """cert: {address: certificate}; connections that stand are closed"""
        for addr, cert in ask["cert"].items():
            self.hosts[addr].cert = cert
            self.hosts[addr].kick()

    def do_listen(self, ask):
        """on: false closes every socket of the addresses (a dead host refuses), true opens them again"""
        for host in self.chosen(ask):
            if ask["on"] and not host.udp:
                host.open()
            elif not ask["on"]:
                host.close()

    def do_kick(self, ask):
        """close every connection of the addresses"""
        for host in self.chosen(ask):
            host.kick()

    def do_slow(self, ask):
        """ms before each TLS handshake is taken up"""
        self.slow = ask["ms"]

    async def control(self, reader, writer):
        while line := await reader.readline():
            ask = json.loads(line)
            try:
                got = {"ok": getattr(self, "do_" + ask["do"])(ask)}
            except Exception as e:      # told to the test, which fails there
                got = {"error": repr(e)}
            writer.write(json.dumps(got).encode() + b"\n")
            await writer.drain()
        writer.close()


async def main(config):
    site = Site(config, asyncio.get_running_loop())
    await asyncio.start_unix_server(site.control, config["control"], limit=16 << 20)
    stop = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        site.loop.add_signal_handler(sig, stop.set)
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
