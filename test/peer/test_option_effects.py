"""Every option does something: for each row of the program's option tables one case that shows another packet, answer,
log line, socket, file or error with the option than without it. A row without a case fails, and a case without a row.

A case is one of these:
  Case(option, probe, want)   two servers, the second with the option: the probe must tell them apart, and of the second
                              it must say `want` (a value, or a test of one)
  Unit(file, function)        a packet is easier made inside the program: the unit that shows it, or the scenario and
                              its line with the option
"""
import contextlib
import ctypes
import dataclasses
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import dns.edns
import dns.flags
import dns.message
import pytest

from ask import ask, burst, ede, frames, packet, rcode, stream, values
from ns import World, libc, program, service_user, wait_for
from server import Server

ROOT = Path(__file__).resolve().parents[2]
FORWARD = 'forward-zone:\n  name: "."\n  forward-addr: 1.1.1.1\n'
RULES = [
    {"name": "high.com", "ttl": 5000}, {"name": "low.com", "ttl": 5},
    {"name": "neghigh.com", "rcode": 3, "ttl": 5000}, {"name": "neglow.com", "rcode": 3, "ttl": 5},
    {"name": "short.com", "ttl": 1}, {"name": "big.com", "big": 1000}, {"name": "fail.com", "rcode": 2},
    {"name": "failone.com", "rcode": 2, "addr": "9.9.9.9"}, {"name": "slow.com", "delay": 300},
    {"name": "many.com", "a": [f"198.51.100.{i}" for i in range(1, 9)]},
    {"name": "private.com", "a": ["10.1.2.3", "198.51.100.1"]}, {"name": "told.com", "ede": [15, "blocked there"]},
]
PORT = 5301
TLS = "tls-service-key: /etc/dot.key\ntls-service-pem: /etc/dot.pem\n"


def u(s, name):
    """A name that no other server of this file was asked for."""
    return f"u{s.nr}.{name}"


def q(s, name, rrtype="A", **how):
    return ask(s.world, u(s, name), rrtype, port=s.port, **how)


ANCHOR = "/var/lib/unbound/root.key"
ANCHORED = f"auto-trust-anchor-file: {ANCHOR}\n"


def proved(s):
    m = ask(s.world, "www.secure", port=s.port, want_dnssec=True)
    return bool(m.flags & dns.flags.AD)


def signed(s):
    return rcode(ask(s.world, "www.secure", port=s.port))


def forged(s, flags=dns.flags.RD):
    return rcode(ask(s.world, "www.forged", port=s.port, flags=flags))


def links_asked_ahead(s):
    """DS of a name whose parent turns out to be unsigned: asked for, at most, before that was known."""
    name = f"u{s.nr}.ahead{s.nr}.com"
    ask(s.world, name, port=s.port)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        n = s.world.counts()["questions"].get(f"ahead{s.nr}.com./DS", 0)
        if n > 0:
            return n
        time.sleep(0.05)
    return 0


def asked_after(s, first, second):
    """How often upstreams are asked for the second name when the first was proved not to be there."""
    for name in (first, second):
        assert rcode(ask(s.world, f"{name}.secure", port=s.port, want_dnssec=True)) == "NXDOMAIN"
    return s.world.counts()["questions"].get(f"{second}.secure./A", 0)


def keys_asked_again(s):
    """A zone's keys have failed: are they asked for again with the next name below it?"""
    counts = []
    for name in (f"a{s.nr}", f"b{s.nr}"):
        assert rcode(ask(s.world, f"{name}.x.com", port=s.port)) == "SERVFAIL"
        counts.append(s.world.counts()["questions"].get("x.com./DNSKEY", 0))
    return counts[1] > counts[0]


def failure_line(s, words="validation failure <www.forged. A IN>: "):
    forged(s)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        found = s.lines(words)
        if found:
            return found[0]
        time.sleep(0.01)
    return None


def chaos(s, name):
    return ask(s.world, name, "TXT", port=s.port, rdclass="CH")


def said(s, name):
    m = chaos(s, name)
    return values(m, "TXT") or rcode(m)


def ttl(s, name, rrtype="A"):
    m = q(s, name, rrtype)
    return (m.answer or m.authority)[0].ttl


def asked(s, name, rrtype="A"):
    return s.world.counts()["questions"].get(f"{u(s, name)}./{rrtype}", 0)


def seen(s, name):
    """How upstreams saw the one question."""
    q(s, name)
    return s.world.tell("seen", name=u(s, name))[0]


HINTS = "root-hints: /etc/root.hints\n"


def shown_parts(s):
    """Was a part of the name asked for before the whole?"""
    ask(s.world, f"www.{u(s, 'x.com')}", port=s.port)
    return asked(s, "x.com")


def shown_whole(s, name):
    ask(s.world, f"www.{u(s, name)}", port=s.port)
    return s.world.counts()["questions"].get(f"www.{u(s, name)}./A", 0)


def sent_in_capitals(s):
    name = seen(s, "letters-that-are-many.com")["name"]
    return name != name.lower()


def source_ports(s):
    for i in range(12):
        ask(s.world, f"p{i}.{u(s, 'ports.com')}", port=s.port)
    return [x["source"] for x in s.world.tell("seen", name=u(s, "ports.com"))]


def answered(s, server, port=None, tcp=False, timeout=0.4):
    try:
        return ask(s.world, "localhost.", server=server, port=port or s.port, tcp=tcp, timeout=timeout) is not None
    except OSError:
        return False


def by_tcp(s):
    return answered(s, "127.0.0.1", tcp=True)


def wait_answer(s, server="127.0.0.1", tcp=False):
    """For servers that the usual first question does not reach."""
    wait_for(lambda: answered(s, server, tcp=tcp, timeout=0.1), 15, "the first answer")
    return s


def speaks_tls(s, port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with stream(s.world, port=port, timeout=1) as plain, context.wrap_socket(plain) as tls:
            return tls.version() is not None
    except OSError:
        return False


def over_tls(s, **edns):
    query = dns.message.make_query("localhost.", "A", use_edns=0, **edns).to_wire()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with stream(s.world, port=s.port + 1) as plain, context.wrap_socket(plain) as tls:
        tls.sendall(struct.pack("!H", len(query)) + query)
        return frames(tls, 1)[0]


PADDED = [dns.edns.GenericOption(12, b"")]
KEEPALIVE = [dns.edns.GenericOption(11, b"")]


def options(m):
    return {int(o.otype): getattr(o, "data", b"") for o in m.options}


def keepalive(s):
    query = dns.message.make_query("localhost.", "A", use_edns=0, options=KEEPALIVE).to_wire()
    with stream(s.world, port=s.port) as sock:
        sock.sendall(struct.pack("!H", len(query)) + query)
        reply = frames(sock, 1)[0]
    at = reply.find(b"\0\x0b\0\x02")
    return None if at < 0 else struct.unpack_from("!H", reply, at + 4)[0]


def socket_option(s, kind, level, name):
    """Of the listening socket: read through a copy of its descriptor."""
    process = os.pidfd_open(s.pid)
    found = None
    for entry in os.listdir(f"/proc/{s.pid}/fd"):
        try:
            if not os.readlink(f"/proc/{s.pid}/fd/{entry}").startswith("socket:"):
                continue
        except OSError:
            continue
        fd = libc.syscall(438, process, int(entry), 0)      # pidfd_getfd
        if fd < 0:
            raise OSError(ctypes.get_errno(), "pidfd_getfd")
        with socket.socket(fileno=fd) as sock:
            if sock.family == socket.AF_INET and sock.type == kind and sock.getsockname()[1] == s.port:
                found = sock.getsockopt(level, name)
    os.close(process)
    return found


def idle_is_closed(s):
    with stream(s.world, port=s.port, timeout=2.2) as sock:
        message = packet("localhost", "A", 1)
        sock.sendall(struct.pack("!H", len(message)) + message)
        frames(sock, 1)
        try:
            return sock.recv(1) == b""
        except OSError:
            return False


def status(s, word):
    text = Path(f"/proc/{s.pid}/status").read_text()
    return re.search(rf"^{word}:\s+(\S+)", text, re.M).group(1)


def line(s, pattern, name="line.com", seconds=0.5):
    """A line of the log about a question, or None."""
    q(s, name)
    pattern = pattern.replace("NAME", re.escape(u(s, name)))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = s.lines(pattern)
        if found:
            return found[0]
        time.sleep(0.01)
    return None


def greets(s, path="/nowhere", seconds=0.7):
    """Does it say that it serves? It does so a moment after the first question can be answered."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (path == "/nowhere" and s.lines("start of service")) or "start of service" in s.world.read(path):
            return True
        time.sleep(0.01)
    return False


def cookie(s):
    m = ask(s.world, "localhost.", port=s.port, use_edns=0, options=[dns.edns.GenericOption(10, b"\1" * 8)])
    return next((bytes(o.data) for o in m.options if int(o.otype) == 10), None)


def siphash(key, data):
    """SipHash-2-4, for RFC9018's cookies."""
    mask = (1 << 64) - 1
    k0, k1 = struct.unpack("<QQ", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def turn(x, n):
        return (x << n | x >> (64 - n)) & mask

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)
    data = data + b"\0" * (-(len(data) + 1) % 8) + bytes([len(data) & 255])
    for (word,) in struct.iter_unpack("<Q", data):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


SECRET = bytes(range(16))


def cookie_is_of_secret(s):
    got = cookie(s)
    return siphash(SECRET, got[:16] + socket.inet_aton("127.0.0.1")) == got[16:]


def first_addresses(s):
    return len({values_in_order(q(s, "many.com"))[0] for _ in range(10)})


def values_in_order(m):
    return [str(r) for rrset in m.answer for r in rrset]


def push_out(s):
    """How many of the first of many names are asked for again?"""
    first = [f"first{i}.com" for i in range(10)]
    for name in first:
        q(s, name)
    for start in range(0, 6000, 2000):
        burst(s.world, [(f"c{i}.{u(s, 'many.net')}", "A") for i in range(start, start + 2000)], port=s.port,
              gap=0.005, per_send=50)
    for name in first:
        q(s, name)
    return sum(asked(s, name) > 1 for name in first)


def answers(s, count, name, **how):
    got = burst(s.world, [(f"b{i}.{u(s, name)}", "A") for i in range(count)], port=s.port, timeout=1.5, **how)
    return got.count(0)


def stale(s):
    q(s, "short.com")
    s.world.rules({"name": "short.com", "rcode": 2}, *RULES)
    try:
        time.sleep(1.2)
        return rcode(q(s, "short.com"))
    finally:
        s.world.rules(*RULES)


def twice(s, name):
    q(s, name)
    q(s, name)
    return asked(s, name)


def connects(s, port):
    try:
        stream(s.world, port=port).close()
    except OSError:
        return False
    return True


@dataclasses.dataclass
class Case:
    option: str                       # of clause server, or of the clause when the row's is another
    probe: Callable
    want: object                      # value, or a test of one
    base: str = ""                    # options of both
    clauses: str = FORWARD            # behind the server clause
    ready: Callable | None = None     # the servers are not reached as usual: wait so
    port: int = 0                     # of the second
    back: bool = False                # without -d


@dataclasses.dataclass
class Unit:
    file: str
    function: str


LISTEN = f"interface: 127.0.0.1\ninterface: 127.0.0.1@{PORT + 1}\n"
SIX = "interface: 127.0.0.1\ninterface: ::1\n"
LOCAL = 'local-zone: "here.test" static'
QUERIES = "log-queries: yes\n"
REPLIES = "log-replies: yes\n"
DOT = 'forward-zone:\n  name: "."\n  forward-tls-upstream: yes\n  forward-addr: 1.1.1.1@853#cloudflare-dns.com\n'
BUNDLE = "tls-cert-bundle: /etc/ssl/certs/ca-certificates.crt\n"


def forward(name, probe, want, option, addr="9.9.9.9", base="", kind="forward"):
    """An option of a zone for one name; the other zone is the root's."""
    zone = f'{kind}-zone:\n  name: "{name}"\n  {kind}-addr: {addr}\n'
    return Case("", probe, want, base, FORWARD + zone + f"  OPTION{option}\n")


CASES = {
    # sockets and clients
    "server/interface": Case("interface: in0", lambda s: answered(s, "192.0.2.1"), True, "interface: 127.0.0.1\n"),
    "server/interface-automatic": Case("interface-automatic: yes", lambda s: answered(s, "192.0.2.1"), True),
    "server/port": Case(f"port: {PORT + 7}", lambda s: answered(s, "127.0.0.1", PORT + 7), True, port=PORT + 7),
    "server/tls-port": Case(f"tls-port: {PORT + 1}", lambda s: speaks_tls(s, PORT + 1), True, LISTEN + TLS),
    "server/tls-additional-port": Case(f"tls-additional-port: {PORT + 1}", lambda s: speaks_tls(s, PORT + 1), True,
                                       LISTEN + TLS),
    "server/tls-service-key": Case("tls-service-key: /etc/dot.key", lambda s: speaks_tls(s, PORT + 1), True,
                                   LISTEN + f"tls-port: {PORT + 1}\ntls-service-pem: /etc/dot.pem\n"),
    "server/tls-service-pem": Case("tls-service-pem: /etc/dot.pem", lambda s: speaks_tls(s, PORT + 1), True,
                                   LISTEN + f"tls-port: {PORT + 1}\ntls-service-key: /etc/dot.key\n"),
    "server/do-ip4": Case("do-ip4: no", lambda s: answered(s, "127.0.0.1"), False, SIX,
                          ready=lambda s: wait_answer(s, "::1")),
    "server/do-ip6": Case("do-ip6: no", lambda s: answered(s, "::1"), False, SIX),
    "server/do-udp": Case("do-udp: no", lambda s: answered(s, "127.0.0.1"), False,
                          ready=lambda s: wait_answer(s, tcp=True)),
    "server/do-tcp": Case("do-tcp: no", by_tcp, False),
    "server/incoming-num-tcp": Case("incoming-num-tcp: 0", by_tcp, False),
    "server/tcp-idle-timeout": Case("tcp-idle-timeout: 100", idle_is_closed, True),
    "server/tcp-connection-limit": Case("tcp-connection-limit: 127.0.0.0/8 0", by_tcp, False),
    "server/so-rcvbuf": Case("so-rcvbuf: 64k", lambda s: socket_option(s, socket.SOCK_DGRAM, socket.SOL_SOCKET,
                                                                       socket.SO_RCVBUF), 131072),
    "server/so-sndbuf": Case("so-sndbuf: 64k", lambda s: socket_option(s, socket.SOCK_DGRAM, socket.SOL_SOCKET,
                                                                       socket.SO_SNDBUF), 131072),
    "server/ip-transparent": Case("ip-transparent: yes",
                                  lambda s: socket_option(s, socket.SOCK_DGRAM, socket.IPPROTO_IP, 19), 1),
    "server/ip-dscp": Case("ip-dscp: 46", lambda s: socket_option(s, socket.SOCK_DGRAM, socket.IPPROTO_IP,
                                                                  socket.IP_TOS), 46 << 2),
    "server/tcp-mss": Case("tcp-mss: 700", lambda s: socket_option(s, socket.SOCK_STREAM, socket.IPPROTO_TCP,
                                                                   socket.TCP_MAXSEG), 700),
    "server/outgoing-interface": Case("outgoing-interface: 203.0.113.9",
                                      lambda s: rcode(q(s, "x.com")), "SERVFAIL"),
    "server/outgoing-port-permit": Case("outgoing-port-permit: 8000-8300",
                                        lambda s: sum(8000 <= p <= 8300 for p in source_ports(s)), lambda n: n >= 9,
                                        "outgoing-port-avoid: 0-65535\noutgoing-port-permit: 7000-7010\n"),
    "server/outgoing-port-avoid": Case("outgoing-port-avoid: 1024-60000",
                                       lambda s: min(source_ports(s)) > 60000, True),
    "server/num-queries-per-thread": Case("num-queries-per-thread: 2", lambda s: answers(s, 20, "slow.com"),
                                          lambda n: n < 20, "num-threads: 1\n"),
    "server/max-udp-size": Case("max-udp-size: 600",
                                lambda s: q(s, "big.com", "TXT", payload=1232, use_edns=0).flags &
                                dns.flags.TC, dns.flags.TC),
    # the process
    "server/num-threads": Case("num-threads: 4", lambda s: int(status(s, "Threads")), lambda n: n >= 5,
                               "num-threads: 1\n"),
    "server/username": Case('username: ""', lambda s: status(s, "Uid"), "0"),
    "server/directory": Case('directory: "/var/log/unbound"',
                             lambda s: s.world.path("/var/log/unbound/rel.log").exists(),
                             True, 'logfile: "rel.log"\n'),
    "server/chroot": Case('chroot: "/var/log/unbound"',
                          lambda s: s.world.path("/var/log/unbound/run/deep/er.log").exists(), True,
                          'logfile: "/run/deep/er.log"\n'),
    "server/pidfile": Case("pidfile: /run/x.pid",   # a folder of root's
                           lambda s: s.world.read("/run/x.pid").strip() ==
                           str(s.pid), True),
    "server/logfile": Case("logfile: /var/log/unbound/own.log", lambda s: greets(s, "/var/log/unbound/own.log"), True),
    "server/use-syslog": Case("use-syslog: yes", greets, False,
                              "use-syslog: no\n", ready=wait_answer, back=True),
    "server/do-daemonize": Case("do-daemonize: no", Server.alive, True, ready=wait_answer, back=True),
    "server/verbosity": Case("verbosity: 0", greets, False),
    "server/log-time-ascii": Case("log-time-ascii: yes",
                                  lambda s: bool(line(s, r"^[A-Z][a-z]{2} \d\d .*NAME")), True,
                                  QUERIES),
    "server/log-time-iso": Case("log-time-iso: yes", lambda s: bool(line(s, r"^\d{4}-\d\d-\d\dT.*NAME")), True,
                                QUERIES + "log-time-ascii: yes\n"),
    "server/log-identity": Case("log-identity: resolver-one",
                                lambda s: bool(line(s, r"resolver-one\[.*NAME")), True,
                                QUERIES),
    "server/log-thread-id": Case("log-thread-id: yes",
                                 lambda s: int(re.search(r"\[\d+:(\d+)\]", line(s, "NAME"))[1]),
                                 lambda n: n > 64, QUERIES),
    "server/tls-cert-bundle": Case(BUNDLE, lambda s: rcode(q(s, "x.com")), "NOERROR", clauses=DOT),
    "server/tls-system-cert": Case("tls-system-cert: yes", lambda s: rcode(q(s, "x.com")), "NOERROR", clauses=DOT),
    "server/answer-cookie": Case("answer-cookie: yes", lambda s: len(cookie(s) or b""), 24),
    "server/cookie-secret": Case(f"cookie-secret: {SECRET.hex()}", cookie_is_of_secret, True, "answer-cookie: yes\n"),
    "signet/control-socket": Case("control-socket: /run/own.sock",
                                  lambda s: os.path.exists(s.world.path("/run/own.sock")), True),
    "signet/metrics": Case("metrics: 127.0.0.1@9153", lambda s: connects(s, 9153), True),
    # the form of replies
    "server/edns-buffer-size": Case("edns-buffer-size: 2000", lambda s: ask(s.world, "localhost.", port=s.port,
                                                                            use_edns=0).payload, 2000),
    "server/ede": Case("ede: yes", lambda s: ede(q(s, "told.com", use_edns=0)), [(15, "blocked there")]),
    "server/edns-tcp-keepalive": Case("edns-tcp-keepalive: yes", keepalive, 1200),
    "server/edns-tcp-keepalive-timeout": Case("edns-tcp-keepalive-timeout: 5000", keepalive, 50,
                                              "edns-tcp-keepalive: yes\n"),
    "server/pad-responses": Case("pad-responses: no", lambda s: len(over_tls(s, options=PADDED)), lambda n: n < 128,
                                 LISTEN + TLS + f"tls-port: {PORT + 1}\n"),
    "server/pad-responses-block-size": Case("pad-responses-block-size: 100",
                                            lambda s: len(over_tls(s, options=PADDED)),
                                            100, LISTEN + TLS + f"tls-port: {PORT + 1}\n"),
    "server/nsid": Case("nsid: ascii_me",
                        lambda s: b"me" in [getattr(o, "nsid", getattr(o, "data", b"")) for o in ask(
        s.world, "localhost.", port=s.port, use_edns=0, options=[dns.edns.GenericOption(3, b"")]).options], True),
    "server/rrset-roundrobin": Case("rrset-roundrobin: no", first_addresses, 1),
    # how upstreams are asked
    "server/disable-edns-do": Case("disable-edns-do: yes", lambda s: seen(s, "x.com")["do"], False),
    "server/pad-queries": Case("pad-queries: no", lambda s: 12 in seen(s, "x.com")["options"], False, BUNDLE, DOT),
    "server/pad-queries-block-size": Case("pad-queries-block-size: 100",
                                          lambda s: seen(s, "x.com")["length"], 100, BUNDLE,
                                          DOT),
    "server/tls-upstream": Case("tls-upstream: yes", lambda s: seen(s, "x.com")["proto"], "tls", BUNDLE,
                                DOT.replace("forward-tls-upstream: yes", "").replace("@853", "")),
    "server/tcp-upstream": Case("tcp-upstream: yes", lambda s: seen(s, "x.com")["proto"], "tcp"),
    "server/udp-upstream-without-downstream": Case(
        "udp-upstream-without-downstream: yes",
        lambda s: (ask(s.world, u(s, "x.com"), port=s.port, tcp=True), s.world.tell("seen", name=u(s, "x.com")))[1][0][
            "proto"], "udp", "do-udp: no\n", ready=lambda s: wait_answer(s, tcp=True)),
    "server/do-not-query-localhost": Case("do-not-query-localhost: no", lambda s: rcode(q(s, "x.com")), "NOERROR",
                                          clauses='forward-zone:\n  name: "."\n  forward-addr: 127.0.0.1@5300\n'),
    "server/do-not-query-address": Case("do-not-query-address: 1.1.1.0/24",
                                        lambda s: rcode(q(s, "x.com")), "SERVFAIL"),
    # from the root down
    "server/root-hints": Case("root-hints: /etc/root.hints", lambda s: rcode(q(s, "x.com")), "NOERROR", clauses=""),
    "server/qname-minimisation": Case("qname-minimisation: no", shown_parts, 0, HINTS, clauses=""),
    "server/qname-minimisation-strict": Case(
        "qname-minimisation-strict: yes", lambda s: shown_whole(s, "neghigh.com"), 0,
                                             HINTS, clauses=""),
    "server/use-caps-for-id": Case("use-caps-for-id: yes", sent_in_capitals, True, HINTS, clauses=""),
    "server/iter-scrub-promiscuous": Unit("src/core/scrub_test.c", "name_servers_beside_an_answer"),
    "server/harden-unknown-additional": Unit("src/core/scrub_test.c", "other_types_beside_an_answer"),
    "server/harden-glue": Unit("src/core/scrub_test.c", "b4_glue_from_outside_on_demand"),
    "server/module-config": Unit("test/scenario/dns64.rpl", 'module-config: "dns64 iterator"'),
    "server/dns64-prefix": Unit("test/scenario/dns64.rpl", "dns64-prefix: 2001:db8:64::/96"),
    "server/dns64-ignore-aaaa": Unit("test/scenario/dns64.rpl", "dns64-ignore-aaaa: both.com"),
    "server/dns64-synthall": Unit("src/plugin/dns64_test.c", "translate_all"),
    "server/do-nat64": Unit("test/scenario/nat64.rpl", "do-nat64: yes"),
    "server/nat64-prefix": Unit("test/scenario/nat64.rpl", "nat64-prefix: 2001:db8:64::/96"),
    "server/edns-client-string": Unit("src/core/exchange_test.c", "test_client_string"),
    "server/edns-client-string-opcode": Unit("src/core/exchange_test.c", "test_client_string"),
    "server/infra-cache-numhosts": Unit("src/core/infra_test.c", "no_more_servers_than_allowed"),
    "server/rrset-cache-size": Unit("src/core/rrcache_test.c", "bounds"),
    # who may ask, and how much
    "server/access-control": Case("access-control: 127.0.0.2/32 refuse",
                                  lambda s: rcode(q(s, "x.com", source="127.0.0.2")),
                                  "REFUSED"),
    "server/ip-ratelimit": Case("ip-ratelimit: 5",
                                lambda s: answers(s, 60, "x.com"), lambda n: n < 40, "num-threads: 1\n"),
    "server/ip-ratelimit-cookie": Unit("src/plugin/iplimit_test.c", "clients_with_cookies_have_a_limit_of_their_own"),
    "server/ip-ratelimit-factor": Case("ip-ratelimit-factor: 1", lambda s: answers(s, 60, "x.com"), 60,
                                       "num-threads: 1\nip-ratelimit: 5\n"),
    "server/ip-ratelimit-backoff": Unit("src/plugin/iplimit_test.c", "backoff_waits_for_a_quiet_second"),
    "server/ip-ratelimit-size": Unit("src/plugin/iplimit_test.c", "memory_bounds_who_is_remembered"),
    "server/ratelimit": Case("ratelimit: 5", lambda s: answers(s, 60, "limited.com"), lambda n: n < 40,
                             "num-threads: 1\n"),
    "server/ratelimit-factor": Case("ratelimit-factor: 1", lambda s: answers(s, 60, "limited.com"), 60,
                                    "num-threads: 1\nratelimit: 5\n"),
    "server/ratelimit-backoff": Unit("src/plugin/zonelimit_test.c", "backoff"),
    "server/ratelimit-size": Unit("src/plugin/zonelimit_test.c", "memory_bounds_what_is_remembered"),
    "server/ratelimit-for-domain": Case("ratelimit-for-domain: limited.com 0",
                                        lambda s: answers(s, 60, "limited.com"), 60,
                                        "num-threads: 1\nratelimit: 5\n"),
    "server/ratelimit-below-domain": Case("ratelimit-below-domain: com 5", lambda s: answers(s, 60, "limited.com"),
                                          lambda n: n < 40, "num-threads: 1\nratelimit: 5000\n"),
    # proof
    "server/auto-trust-anchor-file": Case(f"auto-trust-anchor-file: {ANCHOR}", proved, True),
    "server/trust-anchor-file": Case(f"trust-anchor-file: {ANCHOR}", proved, True),
    "server/trust-anchor": Case("trust-anchor: ROOT", proved, True),
    "server/trusted-keys-file": Case("trusted-keys-file: /etc/bind.keys", proved, True),
    "server/add-holddown": Unit("src/core/autotrust_test.c", "hold_downs_are_as_configured"),
    "server/del-holddown": Unit("src/core/autotrust_test.c", "hold_downs_are_as_configured"),
    "server/keep-missing": Unit("src/core/autotrust_test.c", "hold_downs_are_as_configured"),
    "server/permit-small-holddown": Unit("src/core/autotrust_test.c", "small_intervals_want_a_permit"),
    "server/root-key-sentinel": Unit("src/plugin/anchoring_test.c", "rfc8509_3_the_sentinel_answers"),
    "server/trust-anchor-signaling": Unit("src/plugin/anchoring_test.c", "rfc8145_5_the_zone_hears_of_its_keys"),
    "server/domain-insecure": Case("domain-insecure: secure", proved, False, ANCHORED),
    "server/val-override-date": Case("val-override-date: 20400101000000", signed, "SERVFAIL", ANCHORED),
    "server/val-sig-skew-min": Case("val-sig-skew-min: 259200", signed, "NOERROR",
                                    ANCHORED + "val-sig-skew-max: 300000\nval-override-date: LATE\n"),
    "server/val-sig-skew-max": Case("val-sig-skew-max: 300000", signed, "NOERROR",
                                    ANCHORED + "val-sig-skew-min: 259200\nval-override-date: LATE\n"),
    "server/val-log-level": Case("val-log-level: 2", lambda s: failure_line(s) is not None, True, ANCHORED),
    "server/val-permissive-mode": Case("val-permissive-mode: yes", forged, "NOERROR", ANCHORED),
    "server/ignore-cd-flag": Case("ignore-cd-flag: yes", lambda s: forged(s, dns.flags.RD | dns.flags.CD), "SERVFAIL",
                                  ANCHORED),
    "signet/log-failures": Case("log-failures: yes", lambda s: failure_line(s, "dnssec: www.forged. A ") is not None,
                                True, ANCHORED, ready=wait_answer),
    "server/key-cache-size": Unit("src/plugin/known_test.c", "memory_bounds_what_is_known"),
    "signet/ask-ahead": Case("ask-ahead: 0", links_asked_ahead, 0, ANCHORED,
                             ready=wait_answer),
    "server/val-bogus-ttl": Case("val-bogus-ttl: 0", keys_asked_again, True,
                                 f'trust-anchor: "x.com. 60 IN DS 1 13 2 {"00" * 32}"\n'),
    "server/val-clean-additional": Unit("src/core/judge_test.c", "what_stands_beside_is_judged_for_itself"),
    "server/harden-dnssec-stripped": Case("harden-dnssec-stripped: no", lambda s: rcode(q(s, "x.com")), "NOERROR",
                                          f'trust-anchor: "x.com. 60 IN DS 1 13 2 {"00" * 32}"\n'),
    "server/harden-algo-downgrade": Unit("src/core/validate_test.c", "each_algorithm_signs_on_demand"),
    "server/val-nsec3-keysize-iterations": Unit("src/conf/model_test.c", "nsec3_iterations"),
    "server/fake-sha1": Unit("src/core/validate_test.c", "legacy_is_believed_on_demand"),
    "server/fake-dsa": Unit("src/core/validate_test.c", "legacy_is_believed_on_demand"),
    "server/aggressive-nsec": Case("aggressive-nsec: no", lambda s: asked_after(s, f"a{s.nr}", f"b{s.nr}"), 1,
                                   ANCHORED),
    "server/harden-below-nxdomain": Case("harden-below-nxdomain: no",
                                         lambda s: asked_after(s, f"g{s.nr}", f"x.g{s.nr}"), 1,
                                         ANCHORED + "aggressive-nsec: no\n"),
    "server/neg-cache-size": Unit("src/core/proofs_test.c", "memory_bounds_what_is_kept"),
    # who answers
    "server/hide-identity": Case("hide-identity: yes", lambda s: said(s, "id.server."), "REFUSED"),
    "server/hide-version": Case("hide-version: yes", lambda s: said(s, "version.bind."), "REFUSED"),
    "server/hide-trustanchor": Case("hide-trustanchor: yes",
                                    lambda s: rcode(chaos(s, "trustanchor.unbound.")), "REFUSED"),
    "server/identity": Case("identity: somebody", lambda s: said(s, "id.server."), ["somebody"]),
    "server/version": Case("version: some-version", lambda s: said(s, "version.bind."), ["some-version"]),
    # names answered at home
    "server/local-zone": Case('local-zone: "home.com" always_nxdomain',
                              lambda s: rcode(q(s, "home.com")), "NXDOMAIN"),
    "server/local-data": Case('local-data: "box.home.com A 10.9.8.7"',
                              lambda s: values(ask(s.world, "box.home.com", port=s.port)), ["10.9.8.7"]),
    "server/local-data-ptr": Case('local-data-ptr: "198.51.100.77 box.home.com"', lambda s: values(
        ask(s.world, "77.100.51.198.in-addr.arpa", "PTR", port=s.port), "PTR"), ["box.home.com."]),
    "server/unblock-lan-zones": Case("unblock-lan-zones: yes", lambda s: (
        ask(s.world, f"{s.nr}.1.168.192.in-addr.arpa", "PTR", port=s.port),
        s.world.counts()["questions"].get(f"{s.nr}.1.168.192.in-addr.arpa./PTR", 0))[1], 1),
    "server/private-address": Case("private-address: 10.0.0.0/8", lambda s: values(q(s, "private.com")),
                                   ["198.51.100.1"]),
    "server/private-domain": Case("private-domain: private.com", lambda s: values(q(s, "private.com")),
                                  ["10.1.2.3", "198.51.100.1"], "private-address: 10.0.0.0/8\n"),
    # the log
    "server/log-queries": Case("log-queries: yes", lambda s: bool(line(s, "info: 127.0.0.1 NAME. A IN$")), True),
    "server/log-replies": Case("log-replies: yes",
                               lambda s: bool(line(s, "info: 127.0.0.1 NAME. A IN NOERROR ")), True),
    "server/log-tag-queryreply": Case("log-tag-queryreply: yes",
                                      lambda s: bool(line(s, "query: 127.0.0.1 NAME")), True,
                                      QUERIES),
    "server/log-destaddr": Case("log-destaddr: yes",
                                lambda s: bool(line(s, r"NAME.* NOERROR .*127\.0\.0\.1.*5301")), True,
                                REPLIES),
    "server/log-local-actions": Case("log-local-actions: yes",
                                     lambda s: bool(line(s, "here.test.* NAME", "here.test")),
                                     True, LOCAL + "\n"),
    "server/log-servfail": Case("log-servfail: yes", lambda s: bool(line(s, "SERVFAIL.*NAME", "fail.com")), True),
    # the cache
    "server/msg-cache-size": Case("msg-cache-size: 64k", push_out, lambda n: n >= 5, "num-threads: 1\n"),
    "server/cache-max-ttl": Case("cache-max-ttl: 100", lambda s: ttl(s, "high.com"), 100),
    "server/cache-min-ttl": Case("cache-min-ttl: 50", lambda s: ttl(s, "low.com"), 50),
    "server/cache-max-negative-ttl": Case("cache-max-negative-ttl: 30", lambda s: ttl(s, "neghigh.com"), 30),
    "server/cache-min-negative-ttl": Case("cache-min-negative-ttl: 40", lambda s: ttl(s, "neglow.com"), 40),
    "server/prefetch": Unit("src/plugin/cache_test.c", "prefetch"),
    "server/serve-expired": Case("serve-expired: yes", stale, "NOERROR", "serve-expired-client-timeout: 300\n"),
    "server/serve-expired-ttl": Unit("src/plugin/cache_test.c", "stale_when_upstreams_fail"),
    "server/serve-expired-ttl-reset": Unit("src/plugin/cache_test.c", "ttl_reset"),
    "server/serve-expired-reply-ttl": Unit("src/plugin/cache_test.c", "stale_when_upstreams_fail"),
    "server/serve-expired-client-timeout": Unit("src/plugin/cache_test.c", "stale_at_once"),
    "server/serve-original-ttl": Case("serve-original-ttl: yes", lambda s: ttl(s, "high.com"), 5000,
                                      "cache-max-ttl: 100\n"),
    "server/minimal-responses": Unit("src/plugin/cache_test.c", "minimal_responses"),
    # zones that are forwarded
    "forward-zone/name": Case("",
                              lambda s: seen(s, "zone.com")["addr"], "9.9.9.9", clauses=FORWARD + "forward-zone:\n"
                              "  OPTION name: zone.com\n  WITHOUT name: elsewhere.com\n  forward-addr: 9.9.9.9\n"),
    "forward-zone/forward-addr": Case("",
                                      lambda s: seen(s, "x.com")["addr"], "9.9.9.9",
                                      clauses='forward-zone:\n  name: "."\n'
                                      "  OPTION forward-addr: 9.9.9.9\n  WITHOUT forward-addr: 1.1.1.1\n"),
    "forward-zone/forward-host": Case("",
                                      lambda s: seen(s, "x.com")["addr"], "9.9.9.9",
                                      clauses='forward-zone:\n  name: "."\n'
                                      "  OPTION forward-host: 9.9.9.9\n  WITHOUT forward-addr: 1.1.1.1\n"),
    "forward-zone/forward-tls-upstream": forward("zone.com", lambda s: seen(s, "zone.com")["proto"], "tls",
                                                 " forward-tls-upstream: yes", "9.9.9.9#dns.quad9.net", BUNDLE),
    "forward-zone/forward-tcp-upstream": forward("zone.com", lambda s: seen(s, "zone.com")["proto"], "tcp",
                                                 " forward-tcp-upstream: yes"),
    "forward-zone/forward-first": forward("failone.com", lambda s: rcode(q(s, "failone.com")), "NOERROR",
                                          " forward-first: yes"),
    "forward-zone/forward-no-cache": forward("zone.com", lambda s: twice(s, "zone.com"), 2, " forward-no-cache: yes"),
    "stub-zone/name": Case("", lambda s: seen(s, "zone.com")["addr"], "9.9.9.9", clauses=FORWARD + "stub-zone:\n"
                           "  OPTION name: zone.com\n  WITHOUT name: elsewhere.com\n  stub-addr: 9.9.9.9\n"),
    "stub-zone/stub-addr": Case("",
                                lambda s: seen(s, "zone.com")["addr"], "9.9.9.9", clauses=FORWARD + "stub-zone:\n"
                                "  name: zone.com\n  OPTION stub-addr: 9.9.9.9\n  WITHOUT stub-addr: 1.0.0.1\n"),
    "stub-zone/stub-host": Case("",
                                lambda s: seen(s, "zone.com")["addr"], "9.9.9.9", clauses=FORWARD + "stub-zone:\n"
                                "  name: zone.com\n  OPTION stub-host: 9.9.9.9\n  WITHOUT stub-addr: 1.0.0.1\n"),
    "stub-zone/stub-tls-upstream": forward("zone.com", lambda s: seen(s, "zone.com")["proto"], "tls",
                                           " stub-tls-upstream: yes", "9.9.9.9#dns.quad9.net", BUNDLE, "stub"),
    "stub-zone/stub-tcp-upstream": forward("zone.com", lambda s: seen(s, "zone.com")["proto"], "tcp",
                                           " stub-tcp-upstream: yes", kind="stub"),
    "stub-zone/stub-first": forward("failone.com", lambda s: rcode(q(s, "failone.com")), "NOERROR", " stub-first: yes",
                                    kind="stub"),
    "stub-zone/stub-no-cache": forward("zone.com", lambda s: twice(s, "zone.com"), 2, " stub-no-cache: yes",
                                       kind="stub"),
}


def rows():
    """CLAUSE/NAME of every option, from the program itself."""
    text = subprocess.run([program(), "help", "options"], capture_output=True, text=True, check=True).stdout
    found, clause = set(), None
    for one in text.splitlines():
        if re.fullmatch(r"\S+:", one):
            clause = one[:-1]
        elif match := re.match(r"    (\S+):", one):
            found.add(f"{clause}/{match.group(1)}")
    return found


@pytest.fixture(autouse=True)
def ours(is_unbound):
    if is_unbound:
        pytest.skip("the packaged program's tables are not known")


def test_each_row_has_a_case_and_each_case_a_row():
    found = rows()
    assert len(found) > 100
    assert sorted(found - CASES.keys()) == [], "rows without a case"
    assert sorted(CASES.keys() - found) == [], "cases without a row"


@pytest.mark.parametrize("option", [name for name, case in CASES.items() if isinstance(case, Unit)])
def test_a_unit_shows_it(option):
    unit = CASES[option]
    text = (ROOT / unit.file).read_text()
    if unit.file.endswith(".rpl"):
        assert f"\t{unit.function}\n" in text
        return
    assert f"static void {unit.function}(void **state)" in text and text.count(unit.function) >= 2


@pytest.fixture(scope="module")
def site(keys):
    with World(keys) as made:
        made.start_hosts(RULES)
        deep = made.path("/var/log/unbound") / "run" / "deep"
        deep.mkdir(parents=True)
        os.chown(deep, *service_user())
        host = (keys / "quad9.pem").read_bytes()
        made.write("/etc/dot.pem", host)
        made.write("/etc/dot.key", host)
        root = (keys / "root.dnskey").read_text().split()
        made.write("/etc/bind.keys", f'trusted-keys {{ "." {" ".join(root[3:6])} "{root[6]}"; }};\n')
        made.write("/etc/root.hints", ". 3600 IN NS ns.root.\nns.root. 3600 IN A 9.9.9.9\n")
        made.words = {"ROOT": '"' + (keys / "root.key").read_text().strip() + '"',
                      "LATE": time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 22.5 * 86400))}
        made.nr, made.plain = 0, {}
        started(made, Case("", None, None), False, 5300)     # for the case that forwards to loopback
        yield made


def text_of(case, with_it, port):
    """The file: OPTION lines of other clauses are there only with, WITHOUT lines only without it."""
    clauses = re.sub(r"^  WITHOUT.*\n" if with_it else r"^  OPTION.*\n", "", case.clauses, flags=re.M)
    clauses = re.sub(r"^  (OPTION|WITHOUT) ?", "  ", clauses, flags=re.M)
    head, extra = f"server:\n  port: {port}\n  {case.base}\n", f"  {case.option}\n"
    if case.option.startswith(("metrics:", "ask-ahead:", "control-socket:", "log-failures:")):
        extra = f"signet:\n{extra}"
    return head + (extra if with_it and case.option else "") + clauses


def started(site, case, with_it, port):
    site.nr += 1
    text = text_of(case, with_it, port)
    for word, stands_for in site.words.items():
        text = text.replace(word, stands_for)
    argv = [site.borrowed("unbound"), "-c", "case.conf"] if case.back else None
    server = Server(site, conf=text, file="case.conf", port=port, ready=case.ready is None, argv=argv)
    server.nr = site.nr
    if case.ready:
        case.ready(server)
    return server


def stopped(site, server, known):
    server.process.kill()
    server.process.wait()
    for pid in set(site.pids()) - known:      # one that went into the background
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}"), 5, "its end")


def kept(site, case):
    """A server without the option that serves many cases, each with names of its own; None where that cannot be."""
    text = case.base + case.clauses
    if case.back or case.ready or str(PORT + 1) in text:
        return None
    if text not in site.plain:
        site.plain[text] = started(site, case, False, PORT + 10 + len(site.plain))
    site.nr += 1
    site.plain[text].nr = site.nr
    return site.plain[text]


def probed(site, case, with_it):
    """What the probe says of a server with or without the option."""
    plain = None if with_it else kept(site, case)
    if plain:
        return case.probe(plain)
    known = set(site.pids())
    server = started(site, case, with_it, case.port if with_it and case.port else PORT)
    try:
        return case.probe(server)
    finally:
        stopped(site, server, known)


@pytest.mark.parametrize("option", [name for name, case in CASES.items() if isinstance(case, Case)])
def test_it_makes_a_difference(site, option):
    case = CASES[option]
    without, with_it = probed(site, case, False), probed(site, case, True)
    assert without != with_it, f"{option}: {without!r} either way"
    assert case.want(with_it) if callable(case.want) else with_it == case.want, f"{option}: {with_it!r}"
