"""Upstreams that lose proofs: each server of a forward-zone that is an anchor is asked for its keys at start; one that
strips or breaks DNSSEC is told of once, shown as a gauge, and passed over while another works."""
import json

import pytest

pytest.importorskip("cryptography")
import dns.rdatatype  # noqa: E402
import twist  # noqa: E402
from ask import counters, values  # noqa: E402
from evilauth import FORWARD, Lab  # noqa: E402
from ns import program, wait_for  # noqa: E402
from verdict import is_bogus, is_secure  # noqa: E402

T = dns.rdatatype
BARE = (T.RRSIG, T.DNSKEY, T.DS, T.NSEC, T.NSEC3)
TWO = FORWARD + "  forward-addr: 9.9.9.9\n"
GAUGE = 'signet_upstream_dnssec_ok{zone=".",upstream="%s@53"}'
LINE = r"error: upstream 9\.9\.9\.9@53 strips or breaks DNSSEC"


@pytest.fixture(autouse=True)
def ours(is_unbound):
    if is_unbound:
        pytest.skip("the packaged program does not look")


class Liars(Lab):
    """A lab where only some addresses strip proofs."""

    def __init__(self, keys, liars, clauses):
        super().__init__(keys, start=False)
        self.liars, honest = set(liars), self.evil.make
        bare = lambda m: twist.without(m, lambda s: s.rdtype in BARE)      # noqa: E731

        def make(q):
            self.evil.twists = [t for t in self.evil.twists if t[-1] is not bare]
            if q.addr in self.liars:
                self.evil.twist(".", None, bare, below=True)
            return honest(q)
        self.evil.make = make
        self.zones = [self.zone() for _ in range(8)]
        for z in self.zones:
            z.add(z.name("www"), "A", "198.51.100.7")
        self.start("  num-threads: 2\n", clauses)

    def gauge(self, addr):
        return counters(self.world).get(GAUGE % addr)

    def settled(self, *addrs):
        wait_for(lambda: all(self.gauge(a) is not None for a in addrs), 10, "the probes")


def test_one_that_strips_is_passed_over(keys):
    with Liars(keys, {"9.9.9.9"}, TWO) as lab:
        lab.settled("1.1.1.1", "9.9.9.9")
        assert (lab.gauge("1.1.1.1"), lab.gauge("9.9.9.9")) == (1, 0)
        lab.evil.on(lab.evil.site.tally.by_addr.clear)
        for z in lab.zones:
            is_secure(lab.ask(z.name("www")))
        assert lab.evil.site.tally.by_addr["9.9.9.9"] == 0 and lab.evil.site.tally.by_addr["1.1.1.1"] > 0
        line, = lab.server.wait_log(LINE)
        assert "name one in its place" in line and not lab.server.lines("1.1.1.1.*DNSSEC")
        done = lab.world.run(program(), "ctl", "--json", "status")
        rows = {u["server"]: u["proofs"] for u in json.loads(done.stdout)["upstreams"]}
        assert rows == {"1.1.1.1@53": "kept", "9.9.9.9@53": "broken"}
        assert "strips or breaks DNSSEC" in lab.world.run(program(), "ctl", "status").stdout


def test_when_all_strip_names_fail_with_one_line_for_each(keys):
    with Liars(keys, {"1.1.1.1", "9.9.9.9"}, TWO) as lab:
        lab.settled("1.1.1.1", "9.9.9.9")
        for z in lab.zones:
            is_bogus(lab.ask(z.name("www")), 9, 10, 12)
        assert len(lab.server.wait_log("strips or breaks DNSSEC", count=2)) == 2, "no noise for each name"
        assert values(lab.ask(lab.zones[0].name("www"), flags=0x0110)) == ["198.51.100.7"], "CD gets what there is"


def test_honest_ones_are_not_blamed(keys):
    with Liars(keys, set(), TWO) as lab:
        lab.settled("1.1.1.1", "9.9.9.9")
        assert lab.gauge("1.1.1.1") == lab.gauge("9.9.9.9") == 1
        is_secure(lab.ask(lab.zones[0].name("www")))
        assert not lab.server.lines("DNSSEC")


def test_one_that_is_silent_is_not_blamed(keys):
    with Liars(keys, set(), TWO + "  forward-addr: 149.112.112.112\n") as lab:
        lab.evil.twist("nothing.", None, lambda m: None)
        lab.world.blackhole("149.112.112.112")
        lab.settled("1.1.1.1", "9.9.9.9")
        is_secure(lab.ask(lab.zones[0].name("www")))
        assert not lab.server.lines("149.112.112.112.*DNSSEC")


def test_nobody_looks_where_nothing_is_validated(keys):
    with Lab(keys, anchors="", clauses=TWO) as lab:
        lab.ask("www.z1.")
        assert lab.evil.count(".", "DNSKEY") == 0 and lab.server.alive()
