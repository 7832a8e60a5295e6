"""What is kept, for how long, refreshed and served stale; names answered at home; stub zones."""
import time

import dns.flags
import pytest

from ask import ask, burst, rcode, values
from ns import GUIDE, wait_for
from server import Server

BASE = "server:\n  interface: 127.0.0.1\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n"
FORWARD = "forward-zone:\n  name: \".\"\n  forward-addr: 1.1.1.1\n"


def plain(world, options="", clauses=FORWARD, **more):
    """A server with these options and plain UDP upstreams."""
    return Server(world, conf=BASE + "".join(f"  {line}\n" for line in options.splitlines()) + clauses,
                  file="plain.conf", **more)


def asked(world, name, rrtype="A"):
    return world.counts()["questions"].get(f"{name}./{rrtype}", 0)


def test_ttl_counts_down_and_runs_out(world, server):
    world.rules({"name": "short.com", "ttl": 2})
    assert ask(world, "x.short.com").answer[0].ttl == 2
    wait_for(lambda: ask(world, "x.short.com").answer[0].ttl == 1, 2, "a smaller TTL")
    assert asked(world, "x.short.com") == 1
    wait_for(lambda: asked(world, "x.short.com") > 1 or not ask(world, "x.short.com"), 3, "a second fetch")


def test_cached_forms(world, server):
    """One fetch serves DO and no DO, UDP and TCP, IPv4 and IPv6."""
    for question in ({"want_dnssec": True}, {}, {"tcp": True}, {"server": "::1"}, {"use_edns": False}):
        assert rcode(ask(world, "www.forms.com", **question)) == "NOERROR"
    assert asked(world, "www.forms.com") == 1


@pytest.mark.parametrize("row,rrtype", [({"rcode": 3}, "A"), ({"nodata": True}, "A"), ({"rcode": 3}, "TXT")])
def test_negative_answers_are_kept(world, row, rrtype):
    plain(world)
    world.rules({"name": "neg.com", "ttl": 60, **row})
    for _ in range(3):
        m = ask(world, "x.neg.com", rrtype)
        assert rcode(m) == ("NXDOMAIN" if "rcode" in row else "NOERROR") and 0 < m.authority[0].ttl <= 60
    assert asked(world, "x.neg.com", rrtype) == 1


@pytest.mark.parametrize("options,ttl,want", [("cache-max-ttl: 100", 5000, 100), ("cache-min-ttl: 50", 5, 50),
                                              ("", 200000, 86400)])
def test_ttl_limits(world, options, ttl, want):
    plain(world, options)
    world.rules({"name": "ttl.com", "ttl": ttl})
    ask(world, "x.ttl.com")
    assert want - 1 <= ask(world, "x.ttl.com").answer[0].ttl <= want


def test_negative_ttl_limit(world):
    plain(world, "cache-max-negative-ttl: 30")
    world.rules({"name": "ttl.com", "ttl": 5000, "rcode": 3})
    ask(world, "x.ttl.com")
    assert ask(world, "x.ttl.com").authority[0].ttl <= 30


def test_prefetch(world, server):
    """A hit in the last tenth of the life fetches anew; the client got the old answer at once."""
    world.rules({"name": "pre.com", "ttl": 10})
    start = time.monotonic()
    ask(world, "x.pre.com")
    time.sleep(max(0, 9.15 - (time.monotonic() - start)))
    m = ask(world, "x.pre.com")
    assert m.answer[0].ttl <= 1
    wait_for(lambda: asked(world, "x.pre.com") == 2, 2, "the prefetch")
    wait_for(lambda: ask(world, "x.pre.com").answer[0].ttl > 7, 2, "the new answer")
    assert asked(world, "x.pre.com") == 2


def test_serve_expired(world):
    plain(world, "serve-expired: yes\nserve-expired-ttl: 3600\nserve-expired-client-timeout: 300")
    world.rules({"name": "stale.com", "ttl": 1})
    assert values(ask(world, "x.stale.com"))
    world.blackhole(*GUIDE)
    time.sleep(1.2)
    start = time.monotonic()
    m = ask(world, "x.stale.com", timeout=5)
    assert values(m) and m.answer[0].ttl <= 30 and time.monotonic() - start < 2


def test_without_serve_expired_nothing_is_stale(world):
    plain(world)
    world.rules({"name": "stale.com", "ttl": 1})
    assert values(ask(world, "x.stale.com"))
    world.rules({"name": "stale.com", "rcode": 2})
    time.sleep(2.1)
    assert rcode(ask(world, "x.stale.com", timeout=12)) == "SERVFAIL"


LOCAL = '''local-zone: "static.home" static
local-data: "a.static.home A 10.0.0.1"
local-data: "a.static.home 77 TXT hello"
local-zone: "blocked.com" always_nxdomain
local-zone: "refused.com" refuse
local-zone: "silent.com" deny
local-zone: "redirected.com" redirect
local-data: "redirected.com A 10.0.0.2"
local-zone: "null.com" always_null
local-zone: "nodata.com" always_nodata
local-data: "mixed.site.com A 10.0.0.3"
local-data-ptr: "10.0.0.1 a.static.home"'''


def test_local_zones(world):
    plain(world, LOCAL)
    m = ask(world, "a.static.home")
    assert values(m) == ["10.0.0.1"] and m.flags & dns.flags.AA and m.answer[0].ttl == 3600
    assert ask(world, "a.static.home", "TXT").answer[0].ttl == 77
    assert rcode(ask(world, "b.static.home")) == "NXDOMAIN"
    m = ask(world, "a.static.home", "AAAA")
    assert rcode(m) == "NOERROR" and not m.answer
    assert rcode(ask(world, "deep.below.blocked.com")) == "NXDOMAIN"
    assert rcode(ask(world, "x.refused.com")) == "REFUSED"
    assert ask(world, "x.silent.com", timeout=0.3) is None
    assert values(ask(world, "any.name.redirected.com")) == ["10.0.0.2"]
    assert values(ask(world, "x.null.com")) == ["0.0.0.0"]
    assert values(ask(world, "x.null.com", "AAAA"), "AAAA") == ["::"]
    m = ask(world, "x.nodata.com")
    assert rcode(m) == "NOERROR" and not m.answer
    assert values(ask(world, "mixed.site.com")) == ["10.0.0.3"]
    m = ask(world, "mixed.site.com", "AAAA")      # transparent: the name has data, so NODATA
    assert rcode(m) == "NOERROR" and not m.answer
    assert rcode(ask(world, "other.site.com")) == "NOERROR"
    assert values(ask(world, "1.0.0.10.in-addr.arpa", "PTR"), "PTR") == ["a.static.home."]
    assert set(world.counts()["questions"]) <= {"other.site.com./A"}


def test_default_zones(shared):
    asked_before = shared.counts()["questions"]
    assert values(ask(shared, "localhost")) == ["127.0.0.1"]
    assert values(ask(shared, "localhost", "AAAA"), "AAAA") == ["::1"]
    for name in ("x.test", "x.invalid", "x.onion", "1.1.168.192.in-addr.arpa", "1.0.0.10.in-addr.arpa",
                 "1.1.254.169.in-addr.arpa"):
        assert rcode(ask(shared, name, "PTR" if "arpa" in name else "A")) == "NXDOMAIN", name
    assert values(ask(shared, "1.0.0.127.in-addr.arpa", "PTR"), "PTR") == ["localhost."]
    assert rcode(ask(shared, "x.home.arpa")) == "NXDOMAIN"
    new = {k: v for k, v in shared.counts()["questions"].items() if asked_before.get(k) != v}
    assert not [k for k in new if not k.startswith((".", "_ta-", "arpa.", "com."))], new


def test_nodefault_opens_a_default_zone(world):
    plain(world, 'local-zone: "168.192.in-addr.arpa" nodefault')
    ask(world, "1.1.168.192.in-addr.arpa", "PTR")
    assert asked(world, "1.1.168.192.in-addr.arpa", "PTR") == 1


def test_zones_go_to_their_own_servers(world):
    plain(world, "", FORWARD + 'forward-zone:\n  name: "corp.com"\n  forward-addr: 9.9.9.9\n'
          'stub-zone:\n  name: "stub.com"\n  stub-addr: 1.0.0.1\n')
    for name in ("x.corp.com", "x.stub.com", "x.corp.com.com", "x.other.com"):
        assert rcode(ask(world, name)) == "NOERROR", name
    where = {q["name"]: q["addr"] for q in world.tell("seen")}
    assert where["x.corp.com."] == "9.9.9.9" and where["x.stub.com."] == "1.0.0.1"
    assert where["x.corp.com.com."] == "1.1.1.1" and where["x.other.com."] == "1.1.1.1"
    assert all(q["flags"] & 0x100 for q in world.tell("seen", name="corp.com"))


@pytest.mark.ours("asks with recursion when \".\" is forwarded")
def test_a_stub_is_asked_without_recursion(world):
    plain(world, "", FORWARD + 'stub-zone:\n  name: "stub.com"\n  stub-addr: 1.0.0.1\n')
    assert rcode(ask(world, "x.stub.com")) == "NOERROR"
    assert not any(q["flags"] & 0x100 for q in world.tell("seen", name="stub.com"))


def test_acl_actions(world):
    plain(world, "interface: 192.0.2.1\naccess-control: 192.0.2.0/24 deny\naccess-control: 192.0.2.1/32 allow\n"
                 "access-control: 127.0.0.2/32 refuse\naccess-control: 127.0.0.3/32 deny")
    assert rcode(ask(world, "x.acl.com", server="192.0.2.1", source="192.0.2.1")) == "NOERROR"
    assert rcode(ask(world, "x.acl.com", source="127.0.0.1")) == "NOERROR"
    assert rcode(ask(world, "x.acl.com", source="127.0.0.2")) == "REFUSED"
    assert ask(world, "x.acl.com", source="127.0.0.3", timeout=0.3) is None


def test_private_addresses_are_taken_out(world):
    plain(world, 'private-address: 10.0.0.0/8\nprivate-domain: "own.com"')
    world.rules({"name": "rebind.com", "a": ["10.1.2.3", "198.51.100.1"]}, {"name": "own.com", "a": ["10.1.2.3"]})
    assert values(ask(world, "x.rebind.com")) == ["198.51.100.1"]
    assert values(ask(world, "x.own.com")) == ["10.1.2.3"]


def test_a_flood_of_names_does_not_push_out_the_popular(world):
    """A scan of names asked once leaves what many ask for in the cache."""
    plain(world, "msg-cache-size: 1m\nrrset-cache-size: 1m")
    hot = [(f"h{i}.hot.com", "A") for i in range(50)]
    for _ in range(3):
        burst(world, hot)
    before = sum(asked(world, name) for name, _ in hot)
    for start in range(0, 12000, 3000):
        burst(world, [(f"c{i}.cold.com", "A") for i in range(start, start + 3000)], gap=0.005, per_send=32)
        burst(world, hot)
    assert sum(asked(world, name) for name, _ in hot) - before <= 25


@pytest.mark.ours("1.17 has no cookies")
def test_cookies(world):
    from dns.edns import GenericOption
    plain(world, "answer-cookie: yes\ncookie-secret: \"000102030405060708090a0b0c0d0e0f\"")
    client = bytes(range(8))
    m = ask(world, "c.site.com", use_edns=0, options=[GenericOption(10, client)])
    got = [o.data for o in m.options if o.otype == 10]
    assert got and got[0][:8] == client and len(got[0]) == 24 and got[0][8] == 1
    m = ask(world, "c.site.com", use_edns=0, options=[GenericOption(10, got[0])])
    assert rcode(m) == "NOERROR" and [o.data for o in m.options if o.otype == 10]
    m = ask(world, "c.site.com", use_edns=0, options=[GenericOption(10, b"short")])
    assert rcode(m) == "FORMERR"
    done = world.run("kdig", "@127.0.0.1", "+cookie", "+retry=0", "k.site.com")
    assert "NOERROR" in done.stdout and "COOKIE" in done.stdout.upper()
