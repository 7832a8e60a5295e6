"""The process: privileges, memory, start, stop, the port's holder, systemd's socket."""
import os
import socket
import time

import pytest

from ask import ask, burst, frames, packet, rcode, send, stream
from ns import World, service_user, wait_for
from server import Server, memory_of

IDLE_BYTES = 8 << 20


def status_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def test_root_is_given_up(world, server):
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    uid, gid = service_user()
    for pid in server.processes():
        status = status_of(pid)
        assert set(map(int, status["Uid"].split())) == {uid}, pid
        assert set(map(int, status["Gid"].split())) == {gid}
        assert "0" not in status["Groups"].split()
        assert int(status["CapEff"], 16) & ~(1 << 10) == 0 and int(status["CapPrm"], 16) & ~(1 << 10) == 0
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status") as f:
                assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in f.read(), "a thread kept root"


@pytest.mark.ours("needs more")
def test_idle_memory(world, server, is_unbound):
    if os.environ.get("SIGNET_SANITIZED"):
        pytest.skip("sanitizers take memory of their own")
    for i in range(4):
        assert rcode(ask(world, f"n{i}.site.com")) == "NOERROR"
    total = sum(memory_of(pid) for pid in server.processes())
    assert total <= IDLE_BYTES, f"{total / (1 << 20):.1f} MB"


def test_memory_does_not_grow_without_bound(world, server):
    """Thousands of names stay within the cache's budget (4 + 4 MB by default) and what stands beside it."""
    ask(world, "www.site.com")
    before = sum(memory_of(pid) for pid in server.processes())
    for start in range(0, 9000, 3000):
        burst(world, [(f"n{i}.d{i % 30}.com", "A") for i in range(start, start + 3000)], gap=0.004, per_send=16)
    after = sum(memory_of(pid) for pid in server.processes())
    assert after - before < 16 << 20


def test_sigterm_ends_it_in_order(world, server):
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    start = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - start < 5


@pytest.mark.ours("ends at once")
def test_a_drain_answers_who_waits(world, server):
    """SIGTERM while a question is on its way: its answer still comes."""
    import signal
    import threading
    ask(world, "warm.site.com")
    world.rules({"name": "late.com", "delay": 400})
    got = []
    thread = threading.Thread(target=lambda: got.append(rcode(ask(world, "x.late.com", timeout=3))))
    thread.start()
    wait_for(lambda: world.counts()["questions"].get("x.late.com./A"), 3, "the question")
    os.kill(server.pid, signal.SIGTERM)
    thread.join()
    assert got == ["NOERROR"] and server.process.wait(10) == 0


@pytest.mark.ours("does not name it")
def test_a_taken_port_names_its_holder(world):
    with world.net():
        holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        holder.bind(("127.0.0.1", 53))
    with holder:
        server = Server(world, ready=False)
        assert server.process.wait(15) != 0
        text = server.stderr() + server.log()
        assert "127.0.0.1" in text and "53" in text
        assert str(os.getpid()) in text, text


@pytest.mark.parametrize("order", ["READY=1", "RELOADING=1"])
def test_systemd_is_told(keys, order):
    with World(keys) as world:
        world.start_hosts()
        path = str(world.path("/run/notify"))
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sock.bind(path)
        os.chmod(path, 0o777)
        sock.settimeout(10)
        server = Server(world, env={"NOTIFY_SOCKET": "/run/notify"})
        with sock:
            if order == "READY=1":
                assert "READY=1" in sock.recv(4096).decode()
                return
            sock.recv(4096)
            server.hup()
            said = ""
            while "READY=1" not in said.split("RELOADING=1")[-1] or "RELOADING=1" not in said:
                said += sock.recv(4096).decode() + "\n"


def test_start_is_quick(world):
    took = []
    while not took or (took[-1] >= 1.5 and len(took) < 4):     # a busy machine is not always busy
        start = time.monotonic()
        server = Server(world)
        assert rcode(ask(world, "localhost.")) == "NOERROR"
        took.append(time.monotonic() - start)
        server.stop()
    assert took[-1] < 1.5, took


def test_noise_does_not_kill(world, server):
    """Seeded garbage over UDP and TCP; the program lives and answers."""
    import random
    rng = random.Random(2)
    good = packet("noise.site.com", "A", 1)
    with world.net():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        for _ in range(2000):
            data = bytearray(good)
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            sock.sendto(bytes(data[:rng.randrange(len(data) + 1)]), ("127.0.0.1", 53))
    for _ in range(20):
        with stream(world) as conn:
            conn.sendall(bytes(rng.randrange(256) for _ in range(rng.randrange(1, 200))))
    assert rcode(ask(world, "alive.site.com")) == "NOERROR" and server.alive()


def test_oversized_and_looping_messages(world, server):
    loop = b"\0\1\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"
    send(world, loop, timeout=0.2)
    send(world, packet("x" * 63 + "." + "y" * 63 + "." + "z" * 63 + "." + "w" * 61, "A", 2), timeout=3)
    send(world, b"\0" * 60000, timeout=0.2)
    with stream(world) as conn:
        conn.sendall(b"\xff\xff" + b"\0" * 65535)
        frames(conn, 1)
    assert rcode(ask(world, "alive.site.com")) == "NOERROR" and server.alive()
