"""What would end the program, stop it, or make it say what it must not: bursts into a dead network, clients that do
not read, strangers, configurations that forbid."""
import os
import signal
import socket
import struct
import time

import pytest

from ask import ask, burst, frames, packet, rcode, send, stream
from ns import wait_for
from server import Server

NOWHERE = "2001:db8:dead::1"
FORWARD_NOWHERE = f"""server:
\tinterface: 127.0.0.1
\tnum-threads: 1
\tnum-queries-per-thread: 4096
\tso-rcvbuf: 4m
forward-zone:
\tname: "."
\tforward-addr: {NOWHERE}
"""
PLAIN = """server:
\tinterface: 127.0.0.1
\tnum-threads: 1
\tdo-not-query-localhost: {local}
\t{more}
forward-zone:
\tname: "."
\tforward-addr: 1.1.1.1
"""


def message(name, ident=7, rrtype="A"):
    data = packet(name, rrtype, ident)
    return struct.pack("!H", len(data)) + data


@pytest.mark.ours("not tried")
def test_a_burst_into_a_network_that_is_gone(world):
    """Every send fails at once; a turn full of them ends nobody."""
    world.ip(world.inside, ["route del ::/0 via fd00:2::2"])
    server = Server(world, FORWARD_NOWHERE, file="nowhere.conf")
    os.kill(server.pid, signal.SIGSTOP)      # so that one turn takes them all
    with world.net(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for i in range(500):
            sock.sendto(packet(f"n{i}.d{i}.com", "A", i), ("127.0.0.1", 53))
        os.kill(server.pid, signal.SIGCONT)
        time.sleep(0.5)
    assert rcode(ask(world, "one.more.com")) == "SERVFAIL"
    assert server.alive() and server.stop() == 0


def test_an_end_while_it_starts(world):
    """SIGTERM that waits when the threads begin ends them in order."""
    many = PLAIN.format(local="no", more="").replace("num-threads: 1", "num-threads: 16")
    for _ in range(12):
        server = Server(world, many, file="many.conf", ready=False)
        end = time.monotonic() + 10
        while time.monotonic() < end:      # until it takes its signals itself
            with open(f"/proc/{server.pid}/status") as f:
                if int(next(line for line in f if line.startswith("SigBlk")).split()[1], 16) >> 14 & 1:
                    break
        os.kill(server.pid, signal.SIGTERM)
        assert server.process.wait(15) == 0, server.stderr()


@pytest.mark.ours("asks the servers of another zone")
def test_forbidden_servers_send_a_zone_nowhere_else(world):
    """A zone all of whose servers may not be asked fails; its names do not go to the zone above."""
    conf = PLAIN.format(local="yes", more="") + 'forward-zone:\n\tname: "corp.com"\n\tforward-addr: 127.0.0.1@5353\n'
    Server(world, conf, file="corp.conf")
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    assert rcode(ask(world, "secret.corp.com")) == "SERVFAIL"
    assert not [name for name in world.counts()["questions"] if "corp" in name]


def test_strangers_get_no_errors_either(world):
    """access-control speaks before a packet's faults do: who is denied hears nothing, who is refused REFUSED."""
    conf = PLAIN.format(local="no", more="access-control: 127.0.0.2/32 deny\n\taccess-control: 127.0.0.3/32 refuse")
    Server(world, conf, file="strangers.conf")
    good = packet("www.site.com", "A", 9)
    notify, two = good[:2] + b"\x20\x00" + good[4:], good[:5] + b"\x02" + good[6:]
    axfr = packet("www.site.com", "A", 9, edns=False)[:-4] + b"\x00\xfc\x00\x01"
    for bad in (notify, two, axfr, good[:20]):
        assert send(world, bad, timeout=0.5)[3] & 15 in (1, 4, 5)
        assert send(world, bad, timeout=0.3, source="127.0.0.2") is None
        assert send(world, bad, timeout=0.5, source="127.0.0.3")[3] & 15 == 5


@pytest.mark.ours("reads one at a time")
def test_a_pipeline_longer_than_what_is_kept(world):
    """Answers wait for the client to read; it is no reason to end the connection."""
    server = Server(world, PLAIN.format(local="no", more="tcp-idle-timeout: 10000"), file="plain.conf")
    world.rules({"name": "big.com", "big": 1200})
    assert rcode(ask(world, "x.big.com", "TXT", tcp=True)) == "NOERROR"
    count = 3000
    with stream(world, timeout=5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        sock.setblocking(False)
        data, sent = b"".join(message("x.big.com", i, "TXT") for i in range(count)), 0
        end = time.monotonic() + 1
        while sent < len(data) and time.monotonic() < end:
            try:
                sent += sock.send(data[sent:])
            except BlockingIOError:
                time.sleep(0.01)
        sock.setblocking(True)
        sock.settimeout(5)
        whole = sent // len(message("x.big.com", 0, "TXT"))
        assert whole > 500
        got = frames(sock, whole)
        assert len(got) == whole, (len(got), whole)
    assert server.alive()


@pytest.mark.ours("not tried")
def test_a_busy_stream_is_not_a_slow_one(world):
    """Whole messages come all the time; that reads end within one is no slowness."""
    Server(world, PLAIN.format(local="no", more=""), file="plain.conf")
    one = message("www.site.com")
    with stream(world, timeout=5) as sock:
        sock.sendall(one[:9])
        for _ in range(70):
            time.sleep(0.1)
            sock.sendall(one[9:] + one[:9])
            assert len(frames(sock, 1)) == 1
