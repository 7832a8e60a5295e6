"""Ten reloads a second under full load: no question is lost, no connection closed, no counter begun anew."""
import os
import signal
import socket
import threading
import time

import pytest

from ask import frames, packet, stream
from ns import World
from test_coredns_process import COREFILE, FOLDER, coredns, get

RELOADS, GAP_S, IN_FLIGHT = 60, 0.1, 32


@pytest.fixture(name="world")
def own_world(keys):
    with World(keys, hosts={}) as world:
        yield world


class Asker(threading.Thread):
    """Keeps questions under way over one UDP socket, and knows which were never answered."""

    def __init__(self, world):
        super().__init__()
        with world.net():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", 53))
        self.sock.settimeout(5)
        self.over, self.sent, self.got = False, 0, 0

    def run(self):
        with self.sock:
            while not self.over:
                idents = {self.sent + i & 0xffff for i in range(IN_FLIGHT)}
                for ident in idents:
                    self.sock.send(packet("a.example.org", "A", ident))
                self.sent += IN_FLIGHT
                try:
                    while idents:
                        reply = self.sock.recv(2048)
                        idents.discard(int.from_bytes(reply[:2], "big"))
                        self.got += reply[3] & 15 == 0
                except TimeoutError:
                    return


class Holder(threading.Thread):
    """Asks over one TCP connection that must never close."""

    def __init__(self, world):
        super().__init__()
        self.sock = stream(world)
        self.over, self.sent, self.got, self.why = False, 0, 0, None

    def run(self):
        try:
            while not self.over:
                for i in range(IN_FLIGHT):
                    one = packet("a.sub.example.org", "A", i)
                    self.sock.sendall(len(one).to_bytes(2, "big") + one)
                self.sent += IN_FLIGHT
                self.got += len(frames(self.sock, IN_FLIGHT))
        except OSError as e:
            self.why = e
        finally:
            self.sock.close()


def test_reload_storm(world):
    server = coredns(world)
    askers, holders = [Asker(world) for _ in range(2)], [Holder(world) for _ in range(2)]
    for thread in askers + holders:
        thread.start()
    begun = time.monotonic()
    for i in range(RELOADS):
        lame = "lameduck 1s" if i % 2 else "lameduck 2s"       # each is another configuration
        world.write(f"{FOLDER}/Corefile", COREFILE.format(folder=FOLDER).replace("lameduck 1s", lame))
        os.kill(server.pid, signal.SIGUSR1)
        time.sleep(GAP_S)
    took = time.monotonic() - begun
    for thread in askers + holders:
        thread.over = True
    for thread in askers + holders:
        thread.join(30)
    assert server.alive()
    for thread in askers + holders:
        assert thread.got == thread.sent > 0, (thread.got, thread.sent, getattr(thread, "why", None))
    done = len(server.lines(r"^\[INFO\] Reloading complete$"))
    assert done >= RELOADS / 4, f"{done} reloads in {took:.1f} s"
    assert not server.lines("ERROR|WARNING")
    page = get(world, "/metrics", 9153)[1]
    want = sum(a.sent for a in askers)
    assert f'zone="example.org.",view="",proto="udp",family="1",type="A"}} {want}' in page
