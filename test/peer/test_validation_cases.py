"""The cases of validation a resolver's users can meet, one after the other, with what they see: answer, AD, extended
error, log line, counter. The numbers are those under which operators of another program know them; 26, the roll of a
trust anchor, is judged by src/core/autotrust_test.c."""
import os
import re
import time
from pathlib import Path

import dns.flags
import dns.name
import dns.rdatatype
import pytest

pytest.importorskip("cryptography")
import costly  # noqa: E402
import twist  # noqa: E402
from ask import counters, ede, rcode, values  # noqa: E402
from evilauth import ANCHOR, FORWARD, Lab  # noqa: E402
from evilzone import Key, Nsec3, rrset  # noqa: E402
from keys import DAY  # noqa: E402
from verdict import is_bogus, is_insecure, is_secure  # noqa: E402

pytestmark = pytest.mark.ours("tells reasons otherwise, and has no counters")
T = dns.rdatatype
RD, AD, CD = dns.flags.RD, dns.flags.AD, dns.flags.CD
ADDR, ADDR6 = "198.51.100.7", "2001:db8::7"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
YEAR = 365 * DAY


@pytest.fixture(scope="module")
def lab(keys):
    with Lab(keys, "  val-log-level: 2\n  ede: yes\n") as made:
        yield made


def usual(lab, **how):
    z = lab.zone(**how)
    z.add(z.name("www"), "A", ADDR).add(z.name("www"), "AAAA", ADDR6).add(z.name("*.wild"), "A", ADDR)
    z.add(z.name("alias"), "CNAME", z.name("www")).add(z.name("old"), "DNAME", f"wild.{z.apex}")
    return z


def below(lab, z, **how):
    c = lab.tree.zone(f"child.{z.apex}", **how)
    return c.add(c.name("www"), "A", ADDR)


# --- 1, 2: what is shown of a proof ----------------------------------------------------------------------------

@pytest.mark.parametrize("want_dnssec,flags,shown", [
    (True, RD, True), (False, RD | AD, True), (True, RD | AD, True), (False, RD, False)])
def test_v01_secure_is_shown_to_who_asks(lab, want_dnssec, flags, shown):
    z = usual(lab)
    for _ in range(2):          # from upstream, from the cache
        m = lab.ask(z.name("www"), want_dnssec=want_dnssec, flags=flags)
        assert rcode(m) == "NOERROR" and values(m) == [ADDR]
        assert bool(m.flags & AD) == shown and bool(values(m, "RRSIG")) == want_dnssec


def test_v02_below_an_insecure_delegation(lab):
    z = usual(lab)
    m = is_insecure(lab.ask(below(lab, z, denial=None).name("www")))
    assert values(m) == [ADDR] and not ede(m)
    is_secure(lab.ask(z.name("www")))


# --- 3 to 8: broken, and why -----------------------------------------------------------------------------------

def broken(lab, what):
    """(name, extended error) of a zone that is broken in this way."""
    z, now = usual(lab), int(time.time())
    www = z.name("www")
    if what == "expired":
        z.sigs(www, "A", inception=now - 40 * DAY, expiration=now - 10 * DAY)
        return z, www, 7
    if what == "not yet valid":
        z.sigs(www, "A", inception=now + 10 * DAY, expiration=now + 40 * DAY)
        return z, www, 8
    if what == "forged":
        lab.twist(www, "A", twist.forged)
        return z, www, 6
    if what == "no key for the DS":
        z.set_ds(Key().ds(z.apex))
        return z, www, 9
    if what == "no keys":
        lab.twist(z.apex, "DNSKEY", lambda m: twist.replaced(answer=[], authority=z.soa() + z.match(z.apex))(m))
        return z, www, 9
    if what == "stripped":
        lab.twist(www, "A", twist.stripped())
        return z, www, 10
    assert what == "denied without proof"
    lab.twist(z.name("nx"), "A", lambda m: twist.without(m, lambda s: s.rdtype == T.NSEC))
    return z, z.name("nx"), 12


BROKEN = ("expired", "not yet valid", "forged", "no key for the DS", "no keys", "stripped", "denied without proof")


@pytest.mark.parametrize("what", BROKEN)
def test_v03_to_v08_broken_and_why(lab, what):
    z, name, code = broken(lab, what)
    for _ in range(2):
        m = is_bogus(lab.ask(name), code)
        assert all(text for c, text in ede(m) if c == code), ede(m)
    # told to who asks without DNSSEC as well, if there is EDNS
    is_bogus(lab.ask(name, want_dnssec=False, use_edns=0), code)
    if what in ("expired", "not yet valid", "forged", "stripped"):
        assert values(is_secure(lab.ask(z.name("www"), "AAAA")), "AAAA") == [ADDR6]
    is_secure(lab.ask(usual(lab).name("www")))


# --- 9 to 11: not proved, and not broken -----------------------------------------------------------------------

def test_v09_opt_out(lab):
    z = usual(lab, denial=Nsec3(opt_out=True))
    is_insecure(lab.ask(below(lab, z, denial=None).name("www")))
    is_insecure(lab.ask(z.name("nx")), "NXDOMAIN")
    is_secure(lab.ask(z.name("www")))
    strict = usual(lab, denial=Nsec3())
    is_secure(lab.ask(strict.name("nx")), "NXDOMAIN")


@pytest.mark.parametrize("iterations", [0, 50, 150, 151, 2500])
def test_v10_iterations(lab, iterations):
    z = usual(lab, denial=Nsec3(b"", iterations))
    m = lab.ask(z.name("nx"))
    if iterations <= 150:
        is_secure(m, "NXDOMAIN")
    else:
        is_insecure(m, "NXDOMAIN")
        assert 27 in [code for code, _ in ede(m)], ede(m)
    is_secure(lab.ask(z.name("www")))


def test_v10_absurd_iterations(lab):
    z = usual(lab, denial=Nsec3(said=65535))
    with lab.cost() as cost:
        is_bogus(lab.ask(z.name("nx")), 27)
    assert cost.blocks == 0


def test_v11_only_unknown_algorithms(lab):
    m = is_insecure(lab.ask(usual(lab, keys=[Key(number=200)]).name("www")))
    assert 1 in [code for code, _ in ede(m)], ede(m)
    is_secure(lab.ask(usual(lab).name("www")))


# --- 12 to 15 --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_v12_wildcards(lab, denial):
    z = usual(lab, denial=Nsec3() if denial == "nsec3" else denial)
    assert values(is_secure(lab.ask(z.name("any.wild")))) == [ADDR]
    is_secure(lab.ask(z.name("any.wild"), "TXT"))
    z = usual(lab, denial=Nsec3() if denial == "nsec3" else denial)      # of which no proof is kept
    lab.twist(z.name("other.wild"), "A", twist.replaced(authority=[]))
    is_bogus(lab.ask(z.name("other.wild")), 6, 12)


def test_v13_a_chain_is_as_good_as_its_worst_link(lab):
    z, plain = usual(lab), usual(lab, denial=None)
    z.add(z.name("out"), "CNAME", plain.name("www")).add(z.name("in"), "CNAME", usual(lab).name("www"))
    bad = usual(lab)
    z.add(z.name("bad"), "CNAME", bad.name("www"))
    lab.twist(z.name("bad"), "A", twist.forged)
    lab.twist(bad.name("www"), "A", twist.forged)
    plain.add(plain.name("back"), "CNAME", z.name("www"))
    assert values(is_insecure(lab.ask(z.name("out")))) == [ADDR]
    assert values(is_insecure(lab.ask(plain.name("back")))) == [ADDR]
    assert values(is_secure(lab.ask(z.name("in")))) == [ADDR]
    is_secure(lab.ask(z.name("alias")))
    is_bogus(lab.ask(z.name("bad")), 6)


def test_v14_checking_disabled(lab):
    z, name, code = broken(lab, "forged")
    for _ in range(2):
        m = lab.ask(name, flags=RD | CD)
        assert rcode(m) == "NOERROR" and values(m) == ["6.6.6.6"] and not m.flags & AD
        is_bogus(lab.ask(name), code)
    # and the other way round: what is proved stays, whatever is handed to those who do not want it checked
    is_secure(lab.ask(z.name("alias")))
    lab.twist(z.name("alias"), None, twist.replaced(answer=[], authority=[], rcode=3))
    lab.ask(z.name("alias"), flags=RD | CD)
    is_secure(lab.ask(z.name("alias")))


def test_v15_dname(lab):
    z = usual(lab)
    m = is_secure(lab.ask(z.name("any.old")))
    assert values(m) == [ADDR] and values(m, "CNAME") == [f"any.wild.{z.apex}"] and values(m, "DNAME")
    name = z.name("x.old")
    lie = rrset(name, "CNAME", 300, "elsewhere.")

    def elsewhere(m):
        return twist.replaced(answer=[lie if s.rdtype == T.CNAME else s for s in m.answer if s.rdtype != T.A])(m)
    lab.twist(name, "A", elsewhere)
    m = lab.ask(name)
    assert "elsewhere." not in values(m, "CNAME"), m
    z = usual(lab)
    lab.twist(z.name("y.old"), "A", twist.stripped("DNAME"))
    is_bogus(lab.ask(z.name("y.old")))


def test_v16_keytrap(lab):
    name, rrtype = costly.keytrap(50, 50)(lab)
    with lab.cost() as cost:
        is_bogus(lab.ask(name, rrtype), 6)
    assert cost.verifies <= 8
    is_secure(lab.ask(usual(lab).name("www")))


# --- 17, 18, 20: where trust begins ----------------------------------------------------------------------------

def ds_line(key, owner="."):
    wire = key.ds(owner).to_wire()
    return f"{owner} IN DS {wire[0] << 8 | wire[1]} {wire[2]} {wire[3]} {wire[4:].hex()}"


def test_v17_anchors_add_up(keys):
    """The file holds an old key alone; another source names the one the root is signed with now."""
    with Lab(keys, start=False) as lab:
        z = usual(lab)
        now = lab.world.read(ANCHOR)
        lab.world.write(ANCHOR, ds_line(Key()) + "\n")
        lab.start()
        is_bogus(lab.ask(z.name("www")), 9)
        lab.server.stop()
        lab.start(f'  trust-anchor: "{now.strip()}"\n')
        is_secure(lab.ask(z.name("www")))


def test_v18_an_anchor_that_fits_nothing_breaks_what_is_below_it_alone(keys):
    with Lab(keys, start=False) as lab:
        for apex in ("internal.", "public."):
            z = lab.tree.zone(apex)
            z.add(z.name("www"), "A", ADDR)
        lab.start(f'  trust-anchor: "{ds_line(Key(), "internal.")}"\n')
        is_bogus(lab.ask("www.internal."), 9)
        is_bogus(lab.ask("internal.", "SOA"), 9)
        is_secure(lab.ask("www.public."))
        is_secure(lab.ask("internals."), "NXDOMAIN")
        lab.server.stop()
        key = lab.tree.zone_of(dns.name.from_text("internal.")).keys[0]
        lab.start(f'  trust-anchor: "{ds_line(key, "internal.")}"\n')
        is_secure(lab.ask("www.internal."))


def test_v19_permissive(keys):
    with Lab(keys, "  val-permissive-mode: yes\n  val-log-level: 2\n") as lab:
        _, name, _ = broken(lab, "forged")
        m = lab.ask(name)
        assert rcode(m) == "NOERROR" and values(m) == ["6.6.6.6"] and not m.flags & AD
        assert lab.server.wait_log(f"validation failure <{re.escape(name)} A IN>: .*signature crypto failed")
        is_secure(lab.ask(usual(lab).name("www")))


def test_v20_names_that_are_not_validated(keys):
    conf = '  domain-insecure: "cluster.local."\n  domain-insecure: "corp."\n'
    clauses = FORWARD + "forward-zone:\n  name: cluster.local.\n  forward-addr: 9.9.9.9\n"
    with Lab(keys, conf, clauses) as lab:
        for apex in ("cluster.local.", "corp.", "other."):
            z = lab.tree.zone(apex)
            z.add(z.name("www"), "A", ADDR)
            lab.twist(z.name("www"), "A", twist.forged)
        for name in ("www.cluster.local.", "www.corp."):
            m = is_insecure(lab.ask(name))
            assert values(m) == ["6.6.6.6"]
        is_bogus(lab.ask("www.other."), 6)
        # what this machine answers itself is not a matter of proof: nobody is asked
        is_insecure(lab.ask("1.0.0.10.in-addr.arpa.", "PTR"), "NXDOMAIN")
        assert lab.evil.below("10.in-addr.arpa.") == 0


# --- 21, 22: what is told --------------------------------------------------------------------------------------

REASONS = {"expired": "signature expired", "forged": "signature crypto failed", "stripped": "no signatures",
           "no key for the DS": "", "denied without proof": "", "not yet valid": "signature before inception date"}


@pytest.mark.parametrize("what", REASONS)
def test_v21_a_line_with_name_and_reason(lab, what):
    _, name, _ = broken(lab, what)
    lab.ask(name)
    lines = lab.server.wait_log(f"validation failure <{re.escape(name)} A IN>: .*{REASONS[what]}")
    assert len(lines[-1].split("IN>: ", 1)[1]) > 8
    z = usual(lab)
    is_secure(lab.ask(z.name("www")))
    assert not lab.server.lines(f"validation failure <{re.escape(z.name('www'))}")


def test_v22_counters_add_up(keys):
    with Lab(keys) as lab:
        z, plain = usual(lab), usual(lab, denial=None)
        _, bad, _ = broken(lab, "forged")
        before = counters(lab.world)
        for name in (z.name("www"), plain.name("www"), bad, z.name("www"), plain.name("www"), bad):
            lab.ask(name)
        spent = {k: n - before[k] for k, n in counters(lab.world).items()}

        def of(result):
            return spent[f'signet_validations_total{{result="{result}"}}']
        assert of("secure") == 1 and of("insecure") == 1 and of("bogus") >= 1, spent
        asked = sum(n for k, n in spent.items() if k.startswith("signet_queries_total"))
        assert asked == 6
        assert spent["signet_cache_hits_total"] + spent["signet_cache_misses_total"] == asked, spent
        assert spent["signet_validation_signatures_total"] > 0


FAKED = {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": "/etc/faketime", "FAKETIME_NO_CACHE": "1",
         "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


# --- 23 to 25: upstreams and clocks that are not as they should be ---------------------------------------------

def strip_all(lab):
    bare = (T.RRSIG, T.DNSKEY, T.DS, T.NSEC, T.NSEC3)
    lab.twist(".", None, lambda m: twist.without(m, lambda s: s.rdtype in bare), below=True)


def test_v23_an_upstream_that_strips(keys):
    with Lab(keys) as lab:
        zones = [usual(lab) for _ in range(3)]
        strip_all(lab)
        for z in zones:
            is_bogus(lab.ask(z.name("www")), 9, 10, 12)
            assert values(lab.ask(z.name("www"), flags=RD | CD)) == [ADDR]


def test_v23_the_twin_one_that_stops_stripping(lab):
    zones = [usual(lab) for _ in range(3)]
    is_secure(lab.ask(usual(lab).name("www")))
    strip_all(lab)
    for z in zones:
        is_bogus(lab.ask(z.name("www")), 6, 9, 10, 12)
    lab.evil.twists.clear()
    for z in zones:
        is_secure(lab.ask(z.name("www"), "AAAA"))


@pytest.mark.skipif(not FAKETIME.exists(), reason="not installed: libfaketime")
def test_v24_a_clock_that_is_off(keys):
    """The reason says in which direction, and the same program goes on when the clock is put right."""
    if os.environ.get("SIGNET_SANITIZED") == "1":
        pytest.skip("the sanitizers do not stand another preloaded library")
    with Lab(keys, start=False) as lab:
        first, early, late = usual(lab), usual(lab), usual(lab)
        lab.world.write("/etc/faketime", "+0")
        lab.start(env=FAKED)
        is_secure(lab.ask(first.name("www")))
        for z, off, code in ((early, -YEAR, 8), (late, YEAR, 7)):
            lab.world.write("/etc/faketime", f"{off:+d}")
            is_bogus(lab.ask(z.name("www")), code)
            lab.world.write("/etc/faketime", "+0")
            is_secure(lab.ask(z.name("www"), "AAAA"))


def test_v25_an_upstream_without_edns(keys):
    with Lab(keys, start=False) as lab:
        z = usual(lab)
        lab.evil.edns = False
        lab.start()
        is_bogus(lab.ask(z.name("www")))
        lab.server.stop()
        lab.evil.edns = "silent"            # proofs come, the OPT record does not
        lab.start()
        m = lab.ask(z.name("www"))
        assert rcode(m) == "SERVFAIL" or m.flags & AD
        lab.server.stop()
        lab.evil.edns = False
        lab.anchors = ""                    # the twin: who proves nothing is served all the same
        lab.start()
        assert values(is_insecure(lab.ask(z.name("www")))) == [ADDR]
