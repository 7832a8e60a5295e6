"""Ten reloads a second under full load over UDP, TCP and TLS: no question is lost, not one that waits for an upstream
either, no connection closed, no counter begun anew."""
import os
import signal
import socket
import ssl
import threading
import time

import pytest

from ask import frames, packet, stream
from ns import World
from test_coredns_process import COREFILE, FOLDER, coredns, get

RELOADS, GAP_S, IN_FLIGHT, SLOW_MS, SLOW_IN_FLIGHT = 60, 0.1, 32, 350, 8
PATIENCE_S = 20          # for an answer, on a machine that does much else
TLS = """tls://sub.example.org:853 {{
    tls {folder}/both0.pem {folder}/both0.pem
    file {folder}/db.sub
}}
tls://slow.test:853 {{
    tls {folder}/both0.pem {folder}/both0.pem
    forward . 9.9.9.9 {{
        max_concurrent 1000
        read_timeout 5s
    }}
}}
"""


@pytest.fixture(name="world")
def own_world(keys):
    with World(keys) as world:
        world.start_hosts([{"name": "slow.test", "delay": SLOW_MS}])
        for k in range(2):
            done = world.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                             "-nodes", "-keyout", f"/etc/key{k}.pem", "-out", f"/etc/cert{k}.pem", "-days", "30",
                             "-subj", "/CN=dns.test")
            assert done.returncode == 0, done.stderr
            world.write(f"{FOLDER}/both{k}.pem", world.read(f"/etc/cert{k}.pem") + world.read(f"/etc/key{k}.pem"))
        yield world


class Asker(threading.Thread):
    """Keeps questions under way over one UDP socket, and knows which were never answered."""

    def __init__(self, world):
        super().__init__()
        with world.net():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.connect(("127.0.0.1", 53))
        self.sock.settimeout(PATIENCE_S)
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
    """Asks over one connection that must never close: TCP, or with a context TLS."""

    def __init__(self, world, port=53, context=None):
        super().__init__()
        self.sock = stream(world, port=port, timeout=PATIENCE_S)
        if context:
            self.sock = context.wrap_socket(self.sock)
        self.over, self.sent, self.got, self.why = False, 0, 0, None

    def names(self):
        return ["a.sub.example.org"] * IN_FLIGHT

    def run(self):
        try:
            while not self.over:
                names = self.names()
                for i, name in enumerate(names):
                    one = packet(name, "A", i)
                    self.sock.sendall(len(one).to_bytes(2, "big") + one)
                self.sent += len(names)
                self.got += sum(m[3] & 15 == 0 for m in frames(self.sock, len(names)))
        except OSError as e:
            self.why = e
        finally:
            self.sock.close()


class Waiter(Holder):
    """Each of its questions is under way for longer than a configuration lives."""

    def names(self):
        return [f"x{self.sent + i}.slow.test" for i in range(SLOW_IN_FLIGHT)]


def changed(number):
    """Each is another configuration: its pages', and in turn its forward's and its certificate's."""
    text = (COREFILE + TLS).format(folder=FOLDER).replace("lameduck 1s", f"lameduck {1 + number % 2}s")
    text = text.replace("both0", f"both{number // 4 % 2}")
    return text.replace("max_concurrent 1000", f"max_concurrent {1000 + number // 2 % 2}")


def test_reload_storm(world):
    server = coredns(world, changed(0))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    askers = [Asker(world) for _ in range(2)]
    holders = [*(Holder(world) for _ in range(2)), *(Holder(world, 853, context) for _ in range(2)),
               *(Waiter(world, 853, context) for _ in range(2))]
    for thread in askers + holders:
        thread.start()
    begun = time.monotonic()
    for i in range(RELOADS):
        fresh = world.write(f"{FOLDER}/Corefile.new", changed(i + 1))
        os.replace(fresh, world.path(f"{FOLDER}/Corefile"))      # an empty file is a configuration, too
        os.kill(server.pid, signal.SIGUSR1)
        time.sleep(GAP_S)
    took = time.monotonic() - begun
    for thread in askers + holders:
        thread.over = True
    for thread in askers + holders:
        thread.join(30)
    assert server.alive()
    for thread in askers + holders:
        assert thread.got == thread.sent > 0, (thread, thread.got, thread.sent, getattr(thread, "why", None))
    done = len(server.lines(r"^\[INFO\] Reloading complete$"))
    assert done >= RELOADS / 4, f"{done} reloads in {took:.1f} s"
    assert not server.lines("ERROR|WARNING")
    page = get(world, "/metrics", 9153)[1]
    want = sum(a.sent for a in askers)
    assert f'zone="example.org.",view="",proto="udp",family="1",type="A"}} {want}' in page
