"""Upstreams that lie about who they are, are slow, vanish and come back."""
import re
import time

import pytest

from ask import ask, burst, ede, rcode, values
from conftest import needs
from hosts import address_of
from ns import BUNDLE, GUIDE, World, wait_for
from server import Server

SERVFAIL_S = 9.0       # the longest a question may take when nobody can answer it
RECOVERY_S = 10.0
EDE_UPSTREAM = {22, 23}
WRONG = {addr: "wrong" for addr in GUIDE}
UNKNOWN = {addr: f"unknown-{cert}" for addr, cert in GUIDE.items()}
SWAPPED = {addr: {"cloudflare": "quad9", "quad9": "cloudflare"}[cert] for addr, cert in GUIDE.items()}


def recovered(world, prefix, seconds=RECOVERY_S):
    """Seconds until a new name is answered."""
    start, count = time.monotonic(), 0

    def good():
        nonlocal count
        count += 1
        return rcode(ask(world, f"{prefix}{count}.back.com", timeout=1)) == "NOERROR"
    wait_for(good, seconds, "an answer")
    return time.monotonic() - start


@needs("dig")
@pytest.mark.ours("SERVFAIL comes without EDE, and later")
@pytest.mark.parametrize("certs", [WRONG, UNKNOWN, SWAPPED], ids=["wrong-name", "unknown-ca", "swapped"])
def test_a_false_host_is_refused(world, certs):
    world.tell("cert", cert=certs)
    server = Server(world)
    start = time.monotonic()
    m = ask(world, "www.site.com", timeout=12, use_edns=0)
    assert rcode(m) == "SERVFAIL" and time.monotonic() - start < SERVFAIL_S
    errors = ede(m)
    assert errors and errors[0][0] in EDE_UPSTREAM and errors[0][1], errors
    for i in range(10):
        assert rcode(ask(world, f"n{i}.site.com", timeout=12)) == "SERVFAIL"
    shown = world.run("dig", "+tries=1", "+timeout=12", "again.site.com").stdout
    assert "SERVFAIL" in shown and re.search(r"EDE: 2[23] .*\(\S.*\)", shown), shown
    told = server.wait_log(r"(?i)certificate|tls|handshake|self.signed|issuer")     # another thread writes them
    told = [line for line in told if " query: " not in line and " reply: " not in line]
    assert 1 <= len(told) <= len(GUIDE) + 1, told
    counts = world.counts()
    assert counts["packets"]["53"] == 0 and not counts["questions"]
    world.tell("cert", cert=GUIDE)
    recovered(world, "mended")


@pytest.mark.ours("the change is noticed only after a while")
def test_false_hosts_after_good_ones(world, server):
    """Standing sessions and their tickets are no way around the check."""
    for i in range(8):
        assert rcode(ask(world, f"n{i}.site.com")) == "NOERROR"
    world.tell("cert", cert=UNKNOWN)
    m = ask(world, "new.site.com", timeout=12)
    assert rcode(m) == "SERVFAIL"
    assert rcode(ask(world, "n1.site.com")) == "NOERROR"      # the cache goes on
    assert world.counts()["packets"]["53"] == 0


@pytest.mark.ours("reads the bundle once")
def test_other_authorities_after_a_reload(world, server):
    """A bundle that was replaced counts from the next reload on; one that cannot be parsed changes nothing."""
    assert rcode(ask(world, "first.site.com")) == "NOERROR"
    world.write(BUNDLE, "-----BEGIN CERTIFICATE-----\nnonsense\n")
    server.hup()
    server.wait_log("tls-cert-bundle: .*stay in use")
    assert rcode(ask(world, "kept.site.com")) == "NOERROR"
    world.tell("cert", cert=UNKNOWN)
    assert rcode(ask(world, "refused.site.com", timeout=12)) == "SERVFAIL"
    world.write(BUNDLE, (world.keys / "stranger.pem").read_text())
    server.hup()
    recovered(world, "trusted")
    world.tell("cert", cert=GUIDE)      # and those of before are strangers now
    assert rcode(ask(world, "old.site.com", timeout=12)) == "SERVFAIL"


def test_two_false_of_four(world):
    world.tell("cert", cert={"1.1.1.1": "wrong", "9.9.9.9": "unknown-quad9"})
    Server(world)
    got = burst(world, [(f"n{i}.half.com", "A") for i in range(100)], gap=0.005, per_send=1)
    assert got.count(0) == 100
    assert {addr for addr, n in world.counts()["by_addr"].items() if n} == {"1.0.0.1", "149.112.112.112"}


@pytest.mark.ours("waits 3 s on an unknown host")
@pytest.mark.parametrize("when", ["from the start", "while running"])
def test_two_black_holes_of_four(world, when):
    gone = ("1.1.1.1", "9.9.9.9")
    if when == "from the start":
        world.blackhole(*gone)
    Server(world)
    if when == "while running":
        for i in range(40):
            assert rcode(ask(world, f"warm{i}.site.com")) == "NOERROR"
        world.blackhole(*gone)
    got = burst(world, [(f"n{i}.d{i % 30}.com", "A") for i in range(200)], gap=0.005, per_send=1)
    assert got.count(0) == 200
    assert got.percentile(99) < 1000, f"p99 {got.percentile(99):.0f} ms"
    assert world.counts()["packets"]["53"] == 0


@pytest.mark.ours("SERVFAIL after 52 s")
def test_all_black_holes_then_back(world, server):
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    world.blackhole(*GUIDE)
    got = burst(world, [(f"n{i}.dead.com", "A") for i in range(20)], timeout=SERVFAIL_S + 1)
    assert got.count(2) == 20 and max(got.ms.values()) < SERVFAIL_S * 1000
    m = ask(world, "later.dead.com", timeout=SERVFAIL_S + 1, use_edns=0)
    assert rcode(m) == "SERVFAIL" and {code for code, _ in ede(m)} & EDE_UPSTREAM
    assert values(ask(world, "www.site.com")) == [address_of("www.site.com")]
    world.revive(*GUIDE)
    recovered(world, "n")
    assert world.counts()["packets"]["53"] == 0


@pytest.mark.ours("closed ports are retried for long")
def test_all_closed_then_back(world, server):
    assert rcode(ask(world, "www.site.com")) == "NOERROR"
    world.tell("listen", on=False)
    start = time.monotonic()
    assert rcode(ask(world, "closed.site.com", timeout=12)) == "SERVFAIL"
    assert time.monotonic() - start < SERVFAIL_S
    world.tell("listen", on=True)
    recovered(world, "n")


@pytest.mark.ours("one slow server makes the tail")
def test_a_late_upstream_is_hedged(world, server):
    for i in range(20):
        ask(world, f"warm{i}.site.com")
    world.rules({"name": "slow.com", "addr": "9.9.9.9", "delay": 2500},
                {"name": "slow.com", "addr": "1.0.0.1", "delay": 2500})
    got = burst(world, [(f"n{i}.slow.com", "A") for i in range(60)], gap=0.01, per_send=1)
    assert got.count(0) == 60 and got.percentile(99) < 1500, got.percentile(99)


def test_connections_that_break(world, server):
    """A connection ended before, or in the middle of, an answer costs nobody the answer."""
    world.rules({"name": "before.com", "close": "before", "times": 3}, {"name": "mid.com", "close": "mid", "times": 3})
    for name in ("x.before.com", "x.mid.com"):
        assert values(ask(world, name)) == [address_of(name)]
    world.tell("kick")
    got = burst(world, [(f"n{i}.after.com", "A") for i in range(50)])
    assert got.count(0) == 50


def test_idle_connections_closed_by_the_upstream(world, server):
    for round_ in range(5):
        assert rcode(ask(world, f"n{round_}.idle.com", timeout=2)) == "NOERROR"
        world.tell("kick")
    assert world.counts()["tls"].get("failed", 0) == 0


@pytest.mark.ours("keeps no sessions")
def test_sessions_are_resumed(world, server):
    for i in range(12):
        assert rcode(ask(world, f"n{i}.resume.com")) == "NOERROR"
        world.tell("kick")
    assert world.counts()["tls"]["resumed"] > 0


def test_slow_handshakes(world):
    world.tell("slow", ms=300)
    Server(world)
    got = burst(world, [(f"n{i}.shake.com", "A") for i in range(30)])
    assert got.count(0) == 30 and max(got.ms.values()) < 2500


def test_answers_out_of_order_find_their_questions(world, server):
    world.rules(*[{"name": f"n{i}.order.com", "exact": True, "delay": 200 - 10 * i} for i in range(20)])
    got = burst(world, [(f"n{i}.order.com", "A") for i in range(20)])
    assert got.count(0) == 20
    for i, reply in got.replies.items():
        assert bytes(map(int, address_of(f"n{i}.order.com").split("."))) in reply


@pytest.mark.parametrize("lie", ["wrong_id", "wrong_name", "garbage", "qr0"])
def test_lies_inside_tls(world, server, lie):
    """Even an authenticated host's wrong message answers nothing."""
    world.rules({"name": "lie.com", "mutate": lie, "addr": "9.9.9.9"},
                {"name": "lie.com", "before": [lie], "addr": "1.1.1.1"})
    for i in range(6):
        assert values(ask(world, f"n{i}.lie.com", timeout=12)) == [address_of(f"n{i}.lie.com")]


def test_start_before_the_network(keys):
    with World(keys) as world:
        world.ip(world.inside, ["link set in0 down"])
        world.start_hosts()
        server = Server(world)
        assert rcode(ask(world, "localhost.")) == "NOERROR"
        start = time.monotonic()
        m = ask(world, "early.site.com", timeout=12)
        assert rcode(m) in ("SERVFAIL", "none")
        assert time.monotonic() - start < 12.5
        world.ip(world.inside, ["link set in0 up", "route add default via 192.0.2.2"])
        recovered(world, "n")
        assert server.alive()


@pytest.mark.ours("sends twenty questions for one")
def test_servfail_is_remembered(world, server):
    """RFC 9520: a failed question is not asked again at once."""
    world.rules({"name": "fail.com", "rcode": 2})
    assert rcode(ask(world, "x.fail.com", timeout=12)) == "SERVFAIL"
    sent = world.counts()["questions"].get("x.fail.com./A", 0)
    for _ in range(20):
        assert rcode(ask(world, "x.fail.com", timeout=12)) == "SERVFAIL"
    assert world.counts()["questions"]["x.fail.com./A"] <= sent * 2 and sent <= 16
