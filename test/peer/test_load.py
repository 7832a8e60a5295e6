"""Bursts, limits, and reloads under load."""
import re
import threading
import time

import pytest

from ask import ask, burst, rcode
from conftest import needs
from ns import wait_for

BURST = 3000
DOMAINS = 30


@pytest.mark.ours("loses datagrams of a burst")
def test_new_names_below_many_domains_are_all_answered(world, server):
    got = burst(world, [(f"n{i}.d{i % DOMAINS}.com", "A") for i in range(BURST)], timeout=10)
    assert len(got.rcodes) == BURST and got.count(0) == BURST, (len(got.rcodes), got.count(2))
    assert world.counts()["packets"]["53"] == 0


@pytest.mark.ours("ratelimit is inert for forwarders")
def test_new_names_below_one_domain_show_the_limit(world, server):
    got = burst(world, [(f"n{i}.tunnel.com", "A") for i in range(BURST)], timeout=10)
    assert len(got.rcodes) == BURST
    # a burst that takes two seconds and more meets the limit of each of them
    assert got.count(0) >= 1000 and got.count(2) >= 100, (got.count(0), got.count(2))
    asked = sum(n for name, n in world.counts()["questions"].items() if name.endswith("tunnel.com./A"))
    assert asked <= got.count(0) + 50
    assert server.lines("(?i)ratelimit.*tunnel.com|tunnel.com.*ratelimit")
    assert rcode(ask(world, "other.domain.com")) == "NOERROR"


@pytest.mark.ours("loses datagrams of a burst")
def test_hits_never_count_toward_the_limit(world, server):
    for i in range(20):
        assert rcode(ask(world, f"n{i}.hot.com")) == "NOERROR"
    got = burst(world, [(f"n{i % 20}.hot.com", "A") for i in range(BURST)], timeout=10)
    assert got.count(2) == 0 and got.count(0) == len(got.rcodes) >= BURST * 0.99


@pytest.mark.ours("keeps 256 waiting clients of a question")
def test_equal_questions_are_one_upstream(world, server):
    ask(world, "warm.site.com")
    world.rules({"name": "equal.com", "delay": 300})
    got = burst(world, [("same.equal.com", "A")] * 500, timeout=10)
    assert got.count(0) == 500
    assert world.counts()["questions"]["same.equal.com./A"] == 1


@pytest.mark.ours("closes the connection of a late answer and asks again")
def test_equal_questions_over_tcp_and_udp_are_one(world, server):
    ask(world, "warm.site.com")
    world.rules({"name": "equal.com", "delay": 200})
    results = []
    threads = [threading.Thread(target=lambda t=t: results.append(rcode(ask(world, "both.equal.com", tcp=bool(t % 2)))))
               for t in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == ["NOERROR"] * 20
    assert world.counts()["questions"]["both.equal.com./A"] == 1


@needs("dnsperf")
@pytest.mark.ours("drops the cache, and questions with it, at every reload")
def test_reloads_under_load_lose_none(world, server):
    names = "".join(f"n{i}.d{i % DOMAINS}.com A\n" for i in range(4000))
    world.write("/etc/names", names)
    load = world.popen(["dnsperf", "-s", "127.0.0.1", "-d", "/etc/names", "-l", "6", "-Q", "800", "-c", "4", "-t", "5"],
                       stdout=-1, stderr=-1, text=True)
    for _ in range(10):
        time.sleep(0.5)
        server.hup()
    out, err = load.communicate(timeout=30)
    lost = int(re.search(r"Queries lost:\s+(\d+)", out).group(1))
    done = int(re.search(r"Queries completed:\s+(\d+)", out).group(1))
    codes = re.search(r"Response codes:\s+(.*)", out).group(1)
    assert lost == 0 and done > 3000, out + err
    assert re.fullmatch(r"NOERROR \d+ \(100\.00%\)", codes), codes
    assert server.alive()


@pytest.mark.ours("goes on with its defaults")
def test_a_broken_file_at_reload_keeps_the_old(world, server):
    assert rcode(ask(world, "before.site.com")) == "NOERROR"
    good = world.read("/etc/unbound/unbound.conf.d/hardening.conf")
    world.write("/etc/unbound/unbound.conf.d/hardening.conf", good.replace("prefetch: yes", "prefetch: perhaps"))
    server.hup()
    server.wait_log("(?i)expected yes or no|prefetch")
    assert rcode(ask(world, "after.site.com")) == "NOERROR"
    world.write("/etc/unbound/unbound.conf.d/hardening.conf", good)
    server.hup()
    assert rcode(ask(world, "mended.site.com")) == "NOERROR"
    assert server.alive()


@pytest.mark.ours("looks for a relative -c in another folder when it reloads")
def test_a_reload_takes_the_new_file(world, server):
    path = "/etc/unbound/unbound.conf.d/hardening.conf"
    text = world.read(path)
    world.write(path, text.replace("forward-zone:", '    local-data: "new.site.com A 198.51.100.1"\nforward-zone:', 1))
    server.hup()
    wait_for(lambda: "198.51.100.1" in str(ask(world, "new.site.com", timeout=1) or ""), 5, "the new local-data")


@needs("ss")
@pytest.mark.ours("binds its sockets anew")
def test_a_reload_tunes_the_sockets_in_service(world, server):
    """Buffers of a listener that stays are those of the new file; what it cannot change it refuses, by name."""
    path = "/etc/unbound/unbound.conf.d/hardening.conf"
    text = world.read(path)
    world.write(path, text.replace("forward-zone:", "    so-rcvbuf: 64k\nforward-zone:", 1))
    server.hup()
    wait_for(lambda: "rb131072," in world.run("ss", "-ulmn", "sport", "=", ":53").stdout, 5, "the new buffers")
    world.write(path, text.replace("forward-zone:", "    do-tcp: no\nforward-zone:", 1))
    server.hup()
    server.wait_log("reload failed.*do-tcp changed.*takes a restart")
    assert rcode(ask(world, "after.site.com")) == "NOERROR"


@pytest.mark.ours("starts anew with an empty cache")
def test_a_reload_keeps_cache_and_connections(world, server):
    def all_open():      # connections that were made and are there: a worker may open its first to a host at any time
        counts = world.counts()
        return sum(counts["connects"].values()) == counts["open"] > 0
    for i in range(12):
        ask(world, f"n{i}.kept.com")
    wait_for(all_open, 5, "connections")
    before = world.counts()
    log_lines = len(server.lines("."))
    server.hup()
    wait_for(lambda: len(server.lines(".")) > log_lines, 5, "a line about the reload")
    for i in range(12):
        assert rcode(ask(world, f"n{i}.kept.com")) == "NOERROR"
    assert world.counts()["questions"] == before["questions"]
    assert rcode(ask(world, "new.kept.com")) == "NOERROR"
    wait_for(all_open, 3, "every connection, old and new, still there")


def test_idle_tcp_is_closed(world):
    from ask import frames, stream
    from ns import CONF_DIR
    from server import Server
    text = world.read(f"{CONF_DIR}/hardening.conf")
    Server(world, conf=text.replace("forward-zone:", "    tcp-idle-timeout: 300\nforward-zone:", 1))
    with stream(world, timeout=5) as sock:
        start = time.monotonic()
        assert frames(sock, 1) == [] and 0.1 < time.monotonic() - start < 3


def test_many_tcp_clients(world, server):
    """More connections than the server keeps: those it takes are answered, none makes it unwell."""
    from ask import frames, packet, stream
    import struct
    ask(world, "tcp.site.com")
    socks = []
    for i in range(60):
        sock = stream(world, timeout=3)
        m = packet("tcp.site.com", "A", i)
        sock.sendall(struct.pack("!H", len(m)) + m)
        socks.append(sock)
    answered = sum(bool(frames(sock, 1)) for sock in socks)
    for sock in socks:
        sock.close()
    assert answered >= 10
    assert rcode(ask(world, "udp.site.com")) == "NOERROR"
    wait_for(lambda: rcode(ask(world, "tcp.site.com", tcp=True)) == "NOERROR", 5, "TCP service")
