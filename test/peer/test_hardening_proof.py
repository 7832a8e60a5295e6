"""The users' hardening.conf, verbatim: what is proved, what cannot be, what is broken, over authenticated TLS alone,
asked with the programs that its readers have. The anchor file that it names holds the test's own root."""
import re
import struct
import time

import dns.flags
import dns.rdatatype
import pytest

pytest.importorskip("cryptography")
import twist  # noqa: E402
from ask import rcode, values  # noqa: E402
from conftest import needs  # noqa: E402
from evilauth import Lab  # noqa: E402
from evilzone import Nsec3  # noqa: E402
from keys import DAY  # noqa: E402
from ns import CONF_DIR, GUIDE, HARDENING  # noqa: E402
from server import Server  # noqa: E402
from verdict import is_bogus, is_insecure, is_secure  # noqa: E402

T = dns.rdatatype
RD, AD, CD = dns.flags.RD, dns.flags.AD, dns.flags.CD
ADDR, ADDR6, CAA = "198.51.100.7", "2001:db8::7", '0 issue "ca.example"'
ZONES = {"nsec": "nsec", "nsec3": Nsec3(b"\xaa\xbb", 1)}


def filled(z):
    z.add(z.name("www"), "A", ADDR).add(z.name("www"), "AAAA", ADDR6)
    z.add(z.apex, "CAA", CAA)
    z.add(z.name("*.wild"), "A", ADDR).add(z.name("alias"), "CNAME", z.name("www"))
    return z


@pytest.fixture(scope="module")
def host(keys):
    with Lab(keys, start=False) as made:
        for apex, denial in ZONES.items():
            filled(made.tree.zone(f"{apex}.", denial=denial))
        filled(made.tree.zone("plain.", denial=None))
        filled(made.tree.zone("unsigned.nsec3.", denial=None))
        for apex in BROKEN:
            break_zone(made, filled(made.tree.zone(f"{apex}.")), apex)
        assert made.world.path(f"{CONF_DIR}/hardening.conf").read_bytes() == HARDENING.read_bytes()
        made.server = Server(made.world)
        yield made


# --- proved ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name,rrtype,kind,data", [
    ("www.", "A", "NOERROR", [ADDR]), ("www.", "AAAA", "NOERROR", [ADDR6]), ("", "CAA", "NOERROR", [CAA]),
    ("any.wild.", "A", "NOERROR", [ADDR]), ("alias.", "A", "NOERROR", [ADDR]), ("www.", "TXT", "NOERROR", []),
    ("any.wild.", "TXT", "NOERROR", []), ("nx.", "A", "NXDOMAIN", []), ("deep.er.nx.", "A", "NXDOMAIN", []),
    ("", "DNSKEY", "NOERROR", None), ("", "DS", "NOERROR", None), ("", "SOA", "NOERROR", None)])
def test_signed(host, zone, name, rrtype, kind, data):
    for tcp in (False, True):
        m = is_secure(host.ask(f"{name}{zone}.", rrtype, tcp=tcp), kind)
        assert data is None or [v.strip('"') for v in values(m, rrtype)] == [v.strip('"') for v in data]
        if data == []:
            assert any(s.rdtype == T.SOA for s in m.authority)


@pytest.mark.parametrize("name", ["www.plain.", "www.unsigned.nsec3."])
def test_unsigned(host, name):
    for flags in (RD, RD | AD):
        assert values(is_insecure(host.ask(name, flags=flags))) == [ADDR]
    is_insecure(host.ask(name.replace("www", "nx")), "NXDOMAIN")


@pytest.mark.parametrize("want_dnssec,flags,shown", [
    (True, RD, True), (False, RD | AD, True), (False, RD, False), (True, RD | CD, None)])
def test_ad_is_for_who_asks(host, want_dnssec, flags, shown):
    for name, rrtype in (("www.nsec.", "A"), ("www.nsec3.", "AAAA"), ("nx.nsec.", "A")):
        m = host.ask(name, rrtype, want_dnssec=want_dnssec, flags=flags)
        assert rcode(m) in ("NOERROR", "NXDOMAIN") and (shown is None or bool(m.flags & AD) == shown)
        proofs = [s for s in (*m.answer, *m.authority) if s.rdtype in (T.RRSIG, T.NSEC, T.NSEC3)]
        assert bool(proofs) == want_dnssec
        assert bool(m.flags & CD) == bool(flags & CD)


# --- broken ----------------------------------------------------------------------------------------------------

BROKEN = {"forged": 6, "expired": 7, "early": 8, "keyless": 9}


def break_zone(lab, z, how):
    now = int(time.time())
    if how == "forged":
        lab.twist(z.apex, "A", twist.forged, below=True)
    elif how == "expired":
        z.sigs(None, T.A, inception=now - 60 * DAY, expiration=now - 30 * DAY)
    elif how == "early":
        z.sigs(None, T.A, inception=now + 30 * DAY, expiration=now + 60 * DAY)
    else:
        lab.twist(z.apex, "DNSKEY", lambda m: twist.replaced(answer=[], authority=[])(m))


@pytest.mark.parametrize("zone", BROKEN)
def test_broken(host, zone):
    for _ in range(2):
        is_bogus(host.ask(f"www.{zone}."), BROKEN[zone])
    is_bogus(host.ask(f"www.{zone}.", want_dnssec=False, use_edns=0), BROKEN[zone])
    is_bogus(host.ask(f"www.{zone}.", tcp=True), BROKEN[zone])
    if zone != "keyless":       # what is not broken in the zone is proved
        assert values(is_secure(host.ask(f"www.{zone}.", "AAAA")), "AAAA") == [ADDR6]


@pytest.mark.parametrize("zone", BROKEN)
def test_who_wants_no_checking_gets_the_data_and_spoils_nothing(host, zone):
    data = ["6.6.6.6"] if zone == "forged" else [ADDR]
    for name in (f"www.{zone}.", f"any.wild.{zone}."):
        for _ in range(2):
            m = host.ask(name, flags=RD | CD)
            assert rcode(m) == "NOERROR" and values(m) == data and not m.flags & AD
        is_bogus(host.ask(name), BROKEN[zone])
        assert values(host.ask(name, flags=RD | CD)) == data
    is_secure(host.ask("www.nsec."))


def test_a_lie_told_to_who_wants_no_checking_is_not_told_to_others(host):
    assert values(is_secure(host.ask("cd.wild.nsec."))) == [ADDR]
    host.twist("cd.wild.nsec.", None, twist.replaced(answer=[], authority=[], rcode=3))
    host.ask("cd.wild.nsec.", flags=RD | CD)
    assert values(is_secure(host.ask("cd.wild.nsec."))) == [ADDR]


# --- the readers' programs -------------------------------------------------------------------------------------

def status(done):
    return re.search(r"status: (\w+)", done.stdout).group(1), re.search(r"[Ff]lags: ([a-z ]*)", done.stdout).group(1)


@pytest.mark.ours("tells no extended errors unless asked to")
@needs("dig")
def test_dig(host):
    code, flags = status(host.world.run("dig", "+dnssec", "www.nsec."))
    assert code == "NOERROR" and " ad" in flags
    code, flags = status(host.world.run("dig", "+noadflag", "www.nsec."))
    assert code == "NOERROR" and " ad" not in flags
    code, flags = status(host.world.run("dig", "+dnssec", "www.plain."))
    assert code == "NOERROR" and " ad" not in flags
    for zone, ede_code in BROKEN.items():
        done = host.world.run("dig", f"www.{zone}.")
        assert status(done)[0] == "SERVFAIL" and re.search(rf"EDE: {ede_code} \(", done.stdout), done.stdout
        done = host.world.run("dig", "+cd", "+short", f"www.{zone}.")
        assert done.stdout.strip() == ("6.6.6.6" if zone == "forged" else ADDR)


@pytest.mark.ours("tells no extended errors unless asked to")
@needs("kdig")
def test_kdig(host):
    for words in (("+dnssec",), ("+dnssec", "+tcp"), ("+adflag",)):
        code, flags = status(host.world.run("kdig", *words, "@127.0.0.1", "www.nsec3.", "AAAA"))
        assert code == "NOERROR" and " ad" in flags
    code, flags = status(host.world.run("kdig", "+noadflag", "@127.0.0.1", "www.nsec3."))
    assert code == "NOERROR" and " ad" not in flags
    for zone, ede_code in BROKEN.items():
        done = host.world.run("kdig", "+edns", "@127.0.0.1", f"www.{zone}.")
        assert status(done)[0] == "SERVFAIL" and re.search(rf"EDE: {ede_code}\b", done.stdout), done.stdout
        assert status(host.world.run("kdig", "+cdflag", "@127.0.0.1", f"www.{zone}."))[0] == "NOERROR"


@needs("delv")
def test_delv(host):
    """It proves for itself what it is given, with the same anchor."""
    key = host.tree.root.keys[0].ds(".").to_wire()
    tag, algorithm, digest = struct.unpack("!HBB", key[:4])
    anchor = f'trust-anchors {{ . static-ds {tag} {algorithm} {digest} "{key[4:].hex()}"; }};\n'
    host.world.write("/etc/delv.keys", anchor)

    def delv(*words):
        done = host.world.run("delv", "-a", "/etc/delv.keys", "+root=.", "@127.0.0.1", *words)
        return done.stdout + done.stderr
    for name, rrtype in (("www.nsec.", "A"), ("www.nsec3.", "AAAA"), ("nsec.", "CAA"), ("any.wild.nsec3.", "A")):
        assert "fully validated" in delv(name, rrtype), delv(name, rrtype)
    for name in ("nx.nsec.", "nx.nsec3."):
        assert "ncache nxdomain" in delv(name) and "fully validated" in delv(name), delv(name)
    assert "unsigned answer" in delv("www.plain.")
    for zone in BROKEN:
        assert "resolution failed" in delv(f"www.{zone}.") and ADDR not in delv(f"www.{zone}."), delv(f"www.{zone}.")


def test_all_of_it_went_over_tls_to_hosts_that_proved_their_names(host):
    is_secure(host.ask("www.nsec."))
    counts = host.evil.on(host.evil.site.do_counts, {})
    assert counts["by_proto"].keys() == {"tls"} and counts["packets"]["53"] == 0
    assert set(counts["by_addr"]) <= set(GUIDE) and set(counts["names"]) <= {"cloudflare-dns.com", "dns.quad9.net"}


def test_the_log_names_each_broken_answer(host):
    """As the file stands (verbosity 1) a query and a reply line, SERVFAIL in it."""
    host.ask("www.forged.")
    assert host.server.wait_log(r"reply: 127\.0\.0\.1 www\.forged\. A IN SERVFAIL")
