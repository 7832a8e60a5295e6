"""A Corefile's cache: one TTL for an answer, what is kept and how long, stale answers, refreshes, numbers."""
import time

import dns.flags
import pytest

from ask import ask, burst, ede, rcode, values
from coredns import Coredns, total
from hosts import address_of
from ns import wait_for
from test_coredns_plugins import Asked

A = "9.9.9.9"
BRIEF = "success 9984 3600 1"    # a second's TTL is a second, not five
WAIT_S = 1.9                     # shorter than the wait for an upstream that is gone


def serve(world, cache="cache 30", more=""):
    return Coredns(world, f".:53 {{\n    {cache}\n    forward . {A} {{\n policy sequential\n }}\n{more}}}\n")


def lines(*rows, head="cache"):
    return head + " {\n" + "".join(f"        {row}\n" for row in rows) + "    }"


def asked(world, name):
    return len(world.tell("seen", name=name))


def ttls(m):
    return {rrset.ttl for section in (m.answer, m.authority, m.additional) for rrset in section}


def near(m, ttl, slack=2):
    """All records of the reply have one TTL: that one, or a little less on a busy machine."""
    assert len(ttls(m)) == 1, m
    got = ttls(m).pop()
    assert ttl - slack <= got <= ttl, f"{got}, not {ttl}: {m}"
    return True


def aged(m, ttl, since):
    """They had that TTL at `since`, and have counted down."""
    passed = time.monotonic() - since
    return passed >= 1 and near(m, ttl - 1, int(passed) + 1)


def test_q01_ttls_are_cut_down_and_count(world):
    serve(world)
    world.rules({"name": "x.com", "ttl": 100})
    m = ask(world, "x.com")
    begun = time.monotonic()
    assert near(m, 30, 0) and values(m) == [address_of("x.com")]
    time.sleep(1.2)
    assert aged(ask(world, "x.com"), 30, begun)
    assert asked(world, "x.com") == 1


def test_aa_as_received_or_always(world):
    """As an upstream gave it; with `aa` on every answer from the cache, as CoreDNS has it."""
    serve(world)
    ask(world, "x.com")
    assert not ask(world, "x.com").flags & dns.flags.AA


def test_aa_always(world):
    serve(world, lines("aa"))
    assert not ask(world, "x.com").flags & dns.flags.AA
    assert ask(world, "x.com").flags & dns.flags.AA


def test_q02_a_second_is_held_for_five(world):
    serve(world)
    world.rules({"name": "x.com", "ttl": 1})
    begun = time.monotonic()
    assert near(ask(world, "x.com"), 5, 0)
    time.sleep(1.2)
    assert aged(ask(world, "x.com"), 5, begun) and asked(world, "x.com") == 1
    time.sleep(4.2)
    assert near(ask(world, "x.com"), 5, 0) and asked(world, "x.com") == 2


def test_one_ttl_for_all_records(world):
    serve(world)
    world.rules({"name": "alias.com", "cname": ["target.example."], "ttl": 60})
    m = ask(world, "x.alias.com")
    assert len(m.answer) == 2 and near(m, 30, 0)


def test_q03_denials_have_bounds_of_their_own(world):
    serve(world, lines("success 9984 300", "denial 9984 2 1", head="cache 300"))
    world.rules({"name": "gone.com", "rcode": 3, "ttl": 900}, {"name": "x.com", "ttl": 900})
    begun = time.monotonic()
    assert near(ask(world, "gone.com"), 2, 0) and near(ask(world, "x.com"), 300, 0)
    time.sleep(2.4)
    assert near(ask(world, "gone.com"), 2, 0) and asked(world, "gone.com") == 2
    assert aged(ask(world, "x.com"), 300, begun) and asked(world, "x.com") == 1


def test_the_directives_ttl_is_for_denials_too(world):
    serve(world)
    world.rules({"name": "gone.com", "rcode": 3, "ttl": 900})
    assert near(ask(world, "gone.com"), 30, 0)


@pytest.mark.parametrize("line, questions", [("servfail 0s", 3), ("servfail 5s", 1)])
def test_q04_failures(world, line, questions):
    serve(world, lines(line))
    world.rules({"name": "fails.com", "rcode": 2})
    for _ in range(3):
        assert rcode(ask(world, "fails.com")) == "SERVFAIL"
    assert asked(world, "fails.com") == questions


def test_no_failure_of_our_own_is_kept(world):
    """A SERVFAIL that nobody said: the next question is asked again."""
    serve(world)
    world.blackhole(A)
    assert rcode(ask(world, "x.com")) == "SERVFAIL"
    world.revive(A)
    wait_for(lambda: values(ask(world, "x.com")) == [address_of("x.com")], 20, "the upstream's answer")


def test_what_is_not_kept(world):
    serve(world)
    world.rules({"name": "refused.com", "rcode": 5}, {"name": "cut.com", "tc": True, "proto": "udp"})
    for name in ("refused.com", "cut.com"):
        ask(world, name)
        ask(world, name)
        assert asked(world, name) == 2, name
    assert values(ask(world, "cut.com", tcp=True)) == [address_of("cut.com")]


def test_do_and_cd_apart(world):
    serve(world)
    ask(world, "x.com")
    ask(world, "x.com", want_dnssec=True)
    assert asked(world, "x.com") == 2
    ask(world, "x.com", flags=dns.flags.RD | dns.flags.CD)
    assert asked(world, "x.com") == 3
    for _ in range(2):
        ask(world, "x.com")
        ask(world, "x.com", want_dnssec=True)
        ask(world, "x.com", flags=dns.flags.RD | dns.flags.CD)
    assert asked(world, "x.com") == 3


def test_q05_prefetch(world):
    """Asked for so often, of late, with so little left: one question upstream, and nobody waits for it."""
    serve(world, lines("success 9984 7 1", "prefetch 2 1m 50%"))
    for _ in range(3):
        ask(world, "x.com")
    ask(world, "once.com")
    time.sleep(3.7)
    for _ in range(3):
        assert values(ask(world, "x.com")) == [address_of("x.com")]
    ask(world, "once.com")
    wait_for(lambda: asked(world, "x.com") > 1, 5, "the question ahead of time")
    assert asked(world, "x.com") == 2 and asked(world, "once.com") == 1


def test_q06_stale(world):
    serve(world, lines(BRIEF, "serve_stale 5s"))
    world.rules({"name": "x.com", "ttl": 1})
    ask(world, "x.com")
    world.blackhole(A)
    time.sleep(1.5)
    begun = time.monotonic()
    m = ask(world, "x.com", use_edns=0)
    assert time.monotonic() - begun < WAIT_S and near(m, 0) and values(m) == [address_of("x.com")]
    assert 3 in [code for code, _text in ede(m)]
    time.sleep(5)
    assert rcode(ask(world, "x.com")) == "SERVFAIL"


def test_stale_only_when_nothing_better_comes(world):
    """verify: the upstream is waited for, for so long, and what it says is the answer."""
    serve(world, lines(BRIEF, "serve_stale 1m verify 500ms"))
    world.rules({"name": "x.com", "ttl": 1})
    ask(world, "x.com")
    time.sleep(1.5)
    assert near(ask(world, "x.com"), 1, 0) and asked(world, "x.com") == 2
    world.blackhole(A)
    time.sleep(1.5)
    begun = time.monotonic()
    assert near(ask(world, "x.com"), 0)
    assert 0.4 < time.monotonic() - begun < WAIT_S


@pytest.mark.parametrize("policy, want", [("", "NXDOMAIN"), ("serve_stale_policy prefer_positive", "SERVFAIL")])
def test_stale_denials(world, policy, want):
    serve(world, lines("serve_stale 1m", "denial 9984 1 1", *([policy] if policy else [])))
    world.rules({"name": "gone.com", "rcode": 3})
    ask(world, "gone.com")
    world.blackhole(A)
    time.sleep(1.5)
    assert rcode(ask(world, "gone.com")) == want


def test_without_serve_stale(world):
    serve(world, lines(BRIEF))
    world.rules({"name": "x.com", "ttl": 1})
    ask(world, "x.com")
    world.blackhole(A)
    time.sleep(1.5)
    assert rcode(ask(world, "x.com")) == "SERVFAIL"


def test_q07_keepttl(world):
    serve(world, lines("keepttl"))
    world.rules({"name": "x.com", "ttl": 100})
    ask(world, "x.com")
    time.sleep(1.2)
    assert near(ask(world, "x.com"), 100, 0) and asked(world, "x.com") == 1


def test_disable(world):
    """As kubeadm's own Corefile has it."""
    serve(world, lines("disable success cluster.local", "disable denial cluster.local", head="cache 30"))
    world.rules({"name": "gone.cluster.local", "rcode": 3}, {"name": "gone.com", "rcode": 3})
    for name, questions in (("x.cluster.local", 2), ("gone.cluster.local", 2), ("x.com", 1), ("gone.com", 1)):
        assert near(ask(world, name), 30)
        ask(world, name)
        assert asked(world, name) == questions, name


def test_zones(world):
    serve(world, "cache 30 in.example")
    for name, questions in (("x.in.example", 1), ("x.com", 2)):
        ask(world, name)
        ask(world, name)
        assert asked(world, name) == questions, name
    assert ttls(ask(world, "x.com")) == {300}


def test_equal_misses_are_one_question(world):
    serve(world)
    world.rules({"name": "slow.com", "delay": 250})
    assert burst(world, [("x.slow.com", "A")] * 50).count(0) == 50
    assert asked(world, "slow.com") == 1


def test_reasons_come_along(world):
    """What an upstream says of why is told from the cache too."""
    serve(world)
    world.rules({"name": "why.com", "rcode": 2, "ede": [6, "so it says"]})
    for _ in range(2):
        assert (6, "so it says") in ede(ask(world, "why.com", use_edns=0))
    assert asked(world, "why.com") == 1


def test_what_is_said_to_one_client_alone(world):
    """whoami behind a cache: each client hears of itself, again and again; what nobody answers is still refused."""
    Coredns(world, ".:53 {\n    cache 30\n    whoami\n}\nrefused.test:53 {\n    cache 30\n    hosts {\n"
                   "        192.0.2.1 x.other.test\n        fallthrough\n    }\n}\n")
    for _ in range(2):
        for source in ("127.0.0.1", "127.0.0.7"):
            m = Asked(world, "who.test A", source=source).msg
            assert rcode(m) == "NOERROR" and not m.answer and source in str(m.additional[0]), m
    assert rcode(ask(world, "a.refused.test")) == "REFUSED"


def test_capacity(world):
    """No more answers than the file says, about."""
    s = serve(world, lines("success 1024", "denial 1024"), more="    prometheus :9153\n")
    for k in range(6):
        assert burst(world, [(f"n{i}.k{k}.com", "A") for i in range(600)]).count(0) == 600
    m = s.metrics()
    assert 500 < total(m, "coredns_cache_entries") <= 2100
    assert total(m, "coredns_cache_evictions_total", type="success") >= 1400


def test_metrics(world):
    s = serve(world, lines(BRIEF, "serve_stale 1m"), more="    prometheus :9153\n")
    world.rules({"name": "gone.com", "rcode": 3}, {"name": "short.com", "ttl": 1})
    for name in ("a.com", "a.com", "b.com", "gone.com", "gone.com", "gone.com", "short.com"):
        ask(world, name)
    m, where = s.metrics(), {"server": "dns://:53", "zones": ".", "view": ""}
    assert total(m, "coredns_cache_hits_total", type="success", **where) == 1
    assert total(m, "coredns_cache_hits_total", type="denial", **where) == 2
    assert total(m, "coredns_cache_misses_total", **where) == 4
    assert total(m, "coredns_cache_requests_total", **where) == 7
    assert total(m, "coredns_cache_entries", type="success", **where) == 3
    assert total(m, "coredns_cache_entries", type="denial", **where) == 1
    time.sleep(1.5)
    ask(world, "short.com")
    assert total(s.metrics(), "coredns_cache_served_stale_total", **where) == 1


REFUSED = [
    ("cache 0", "cache TTL can not be zero or negative"),
    (lines("success 0"), "cache capacity can not be zero or negative"),
    (lines("prefetch 0"), "prefetch amount should be positive"),
    (lines("prefetch 1 1m 95%"), "percentage should fall in range [10, 90]"),
    (lines("servfail 10m"), "caching SERVFAIL responses over 5 minutes is not permitted"),
    (lines("disable all"), 'cache type for disable must be "success" or "denial"'),
    (lines("serve_stale 1h later"), "invalid value for serve_stale refresh mode"),
    (lines("serve_stale_policy prefer_positive"), "requires serve_stale"),
    (lines("colour red"), "unknown property 'colour'"),
    ("cache\n    cache", "this plugin can only be used once per Server Block"),
]


@pytest.mark.parametrize("cache, text", REFUSED)
def test_refused(bare, cache, text):
    s = Coredns(bare, f".:53 {{\n    {cache}\n    forward . {A}\n}}\n", ready=False)
    assert s.process.wait(20) == 1
    assert text in s.stderr(), s.stderr()
