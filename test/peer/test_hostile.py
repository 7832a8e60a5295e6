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
