"""A Corefile's `dnssec { key file ... }`: a zone signed while it answers, proved by other people's programs."""
import re
import shutil
import subprocess
from types import SimpleNamespace

import dns.dnssec
import dns.flags
import dns.name
import dns.rdatatype
import pytest

import ns
from ask import ask, rcode, values
from conftest import needs
from server import Server

FOLDER = "/etc/coredns"
ZONE = "signed.example."
DB = """$ORIGIN signed.example.
$TTL 300
@ SOA ns host 1 7200 1800 86400 60
@ NS ns
ns A 127.0.0.1
www 30 A 192.0.2.1
www 30 A 192.0.2.2
*.wild TXT "wild"
alias CNAME www
a.b.c A 192.0.2.3
sub NS ns.sub
ns.sub A 127.0.0.2
plain NS ns.plain
ns.plain A 127.0.0.2
secure NS ns.secure
ns.secure A 127.0.0.2
secure DS 1 13 2 0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20
"""
SUB = "$ORIGIN sub.signed.example.\n@ 60 SOA ns host 1 2 3 4 5\n@ 60 NS ns\nns 60 A 127.0.0.2\nwww 60 A 192.0.2.9\n"
KEYS = {"one": [("ECDSAP256SHA256", "KSK")], "two": [("ECDSAP256SHA256", "KSK"), ("ECDSAP256SHA256", "ZSK")],
        "rsa": [("RSASHA256", "KSK"), ("RSASHA256", "ZSK")], "p384": [("ECDSAP384SHA384", "KSK")],
        "ed25519": [("ED25519", "KSK")], "rsa512": [("RSASHA512", "KSK")]}

pytestmark = needs("dnssec-keygen", "dnssec-dsfromkey")


def make_keys(world, kind):
    """The names of the pairs, without suffix."""
    names = []
    world.path(FOLDER).mkdir(parents=True, exist_ok=True)
    for algorithm, role in KEYS[kind]:
        done = subprocess.run(["dnssec-keygen", "-q", "-a", algorithm, "-b", "2048", *(["-f", "KSK"] * (role == "KSK")),
                               ZONE], cwd=world.path(FOLDER), capture_output=True, text=True, check=True)
        names.append(done.stdout.strip())
    return names


def corefile(names, more="", port=53):
    return (f"{ZONE}:{port} {{\n    root {FOLDER}\n    file db.signed\n    prometheus 127.0.0.1:9153\n"
            f"    dnssec {{\n        key file {' '.join(names)}\n    }}\n{more}}}\n"
            f"sub.{ZONE}:{port} {{\n    root {FOLDER}\n    file db.sub\n}}\n")


def serve(world, kind="one", **more):
    world.write(f"{FOLDER}/db.signed", DB)
    world.write(f"{FOLDER}/db.sub", SUB)
    names = make_keys(world, kind)
    server = Server(world, conf=corefile(names, **more), file="Corefile", folder=FOLDER,
                    argv=[world.borrowed("coredns"), "-conf", "Corefile"])
    return SimpleNamespace(world=world, server=server, names=names)


@pytest.fixture(scope="module", params=list(KEYS))
def signed(keys, request):
    with ns.World(keys) as world:
        yield serve(world, request.param)


@pytest.fixture(scope="module")
def plain(keys):
    with ns.World(keys) as world:
        yield serve(world, "two")


def rrsets(message):
    return [rrset for section in (message.answer, message.authority) for rrset in section]


def proved(world, message, owner=ZONE, aged=False):
    """Every RRset with a signature is good by the zone's keys; the names and types of those. aged: out of a cache"""
    keys = [r for r in ask(world, owner, "DNSKEY", want_dnssec=True).answer if r.rdtype == dns.rdatatype.DNSKEY][0]
    found = set()
    for rrset in rrsets(message):
        if rrset.rdtype != dns.rdatatype.RRSIG:
            continue
        for data in (r for r in rrsets(message) if r.rdtype == rrset.covers and r.name == rrset.name):
            dns.dnssec.validate(data, rrset, {dns.name.from_text(owner): keys})
            assert aged or all(sig.original_ttl == data.ttl == rrset.ttl for sig in rrset)
            found.add((str(data.name), dns.rdatatype.to_text(data.rdtype)))
    return found


def nsec_of(message):
    nsecs = [r for r in rrsets(message) if r.rdtype == dns.rdatatype.NSEC]
    assert len(nsecs) == 1, message
    return str(nsecs[0].name), str(nsecs[0][0])


ROWS = [   # question, RCODE, what is proved
    (("www", "A"), {("www", "A"), ("", "NS")}),
    (("alias", "A"), {("alias", "CNAME"), ("www", "A"), ("", "NS")}),
    (("x.wild", "TXT"), {("x.wild", "TXT"), ("", "NS")}),
    (("", "SOA"), {("", "SOA"), ("", "NS")}),
    (("", "DNSKEY"), {("", "DNSKEY")}),
    (("nope", "A"), {("", "SOA"), ("nope", "NSEC")}),
    (("www", "TXT"), {("", "SOA"), ("www", "NSEC")}),
    (("b.c", "A"), {("", "SOA"), ("b.c", "NSEC")}),
    (("www.secure", "A"), {("secure", "DS")}),
    (("www.plain", "DS"), {("plain", "NSEC")}),
    (("www.plain", "A"), {("plain", "NSEC")}),
    (("plain", "DS"), {("", "SOA"), ("plain", "NSEC")}),
]


@pytest.mark.parametrize("question,want", ROWS, ids=lambda v: ".".join(v) if isinstance(v, tuple) else "")
def test_answers_are_proved(signed, question, want):
    name = f"{question[0]}.{ZONE}".lstrip(".")
    message = ask(signed.world, name, question[1], want_dnssec=True)
    assert rcode(message) == "NOERROR", message
    full = {(f"{owner}.{ZONE}".lstrip("."), rrtype) for owner, rrtype in want}
    assert proved(signed.world, message) == full, message


def test_roles_of_keys(plain):
    """Of two kinds of keys the one with SEP signs the keys alone."""
    keys = ask(plain.world, ZONE, "DNSKEY", want_dnssec=True)
    tags = {int(re.search(r"\+(\d+)$", name)[1]) for name in plain.names}
    by = {sig.key_tag for r in keys.answer if r.rdtype == dns.rdatatype.RRSIG for sig in r}
    data = {sig.key_tag for r in ask(plain.world, f"www.{ZONE}", want_dnssec=True).answer
            if r.rdtype == dns.rdatatype.RRSIG for sig in r}
    assert by == {int(plain.names[0][-5:])} and data == {int(plain.names[1][-5:])} and by | data == tags
    assert keys.flags & dns.flags.AA and len(values(keys, "DNSKEY")) == 2


def test_without_do_nothing_changes(plain):
    world = plain.world
    for name, rrtype, want in [("www", "A", "NOERROR"), ("nope", "A", "NXDOMAIN"), ("www", "TXT", "NOERROR")]:
        message = ask(world, f"{name}.{ZONE}", rrtype)
        assert rcode(message) == want
        assert not {r.rdtype for r in rrsets(message)} & {dns.rdatatype.RRSIG, dns.rdatatype.NSEC}
    assert rcode(ask(world, f"nope.{ZONE}", want_dnssec=True)) == "NOERROR"
    assert values(ask(world, ZONE, "DNSKEY"), "DNSKEY") and not values(ask(world, ZONE, "DNSKEY"), "RRSIG")


def test_denials_are_of_the_very_name(plain):
    world = plain.world
    assert nsec_of(ask(world, f"No.{ZONE}", want_dnssec=True))[1] == f"\\000.no.{ZONE} RRSIG NSEC"
    there = nsec_of(ask(world, f"www.{ZONE}", "AAAA", want_dnssec=True))[1].split()
    assert {"A", "MX", "TXT", "CAA"} <= set(there) and not {"AAAA", "NS", "CNAME", "DS", "SOA"} & set(there)
    assert {"NS", "SOA", "DNSKEY"} <= set(nsec_of(ask(world, ZONE, "MX", want_dnssec=True))[1].split())
    for name, rrtype in [("sub", "DS"), ("plain", "DS"), ("www.plain", "A")]:
        cut = name.split(".")[-1]
        assert nsec_of(ask(world, f"{name}.{ZONE}", rrtype, want_dnssec=True)) == \
            (f"{cut}.{ZONE}", f"\\000.{cut}.{ZONE} NS RRSIG NSEC")


def test_beside_cache_rewrite_and_loadbalance(keys):
    """Signed once, kept, put in another order for each client: what is answered is proved, whichever way it came."""
    with ns.World(keys) as world:
        more = f"    cache 30\n    loadbalance\n    rewrite stop name old.{ZONE} www.{ZONE}\n"
        signed_by = serve(world, "one", more=more)
        orders = set()
        for _ in range(40):
            m = ask(world, f"www.{ZONE}", "A", want_dnssec=True)
            assert (f"www.{ZONE}", "A") in proved(world, m, aged=True)
            orders.add(tuple(r.address for s in m.answer if s.rdtype == dns.rdatatype.A for r in s))
        assert orders == {("192.0.2.1", "192.0.2.2"), ("192.0.2.2", "192.0.2.1")}
        for _ in range(2):
            m = ask(world, f"old.{ZONE}", "A")
            assert str(m.answer[0].name) == f"old.{ZONE}" and sorted(values(m)) == ["192.0.2.1", "192.0.2.2"]
            assert not [r for r in rrsets(m) if r.rdtype == dns.rdatatype.RRSIG]
        for _ in range(2):
            m = ask(world, f"nope.{ZONE}", "A", want_dnssec=True)
            assert (f"nope.{ZONE}", "NSEC") in proved(world, m, aged=True)
        assert signed_by.server.alive()


def test_metrics(plain):
    world = plain.world
    for _ in range(5):
        ask(world, f"www.{ZONE}", want_dnssec=True)
    page = world.run("curl", "-s", "http://127.0.0.1:9153/metrics").stdout
    got = {m[1]: int(m[2]) for m in re.finditer(r"^(coredns_dnssec_cache_\w+)\{server=\"dns://:53\"[^}]*\} (\d+)$",
                                                page, re.M)}
    assert got["coredns_dnssec_cache_hits_total"] > 0 and got["coredns_dnssec_cache_entries"] > 0, page
    assert got["coredns_dnssec_cache_requests_total"] == \
        got["coredns_dnssec_cache_hits_total"] + got["coredns_dnssec_cache_misses_total"]


@pytest.mark.skipif(not shutil.which("delv"), reason="absent: delv")
def test_delv(signed):
    """BIND's prover, which asks for what it needs by itself."""
    world = signed.world
    key = ask(world, ZONE, "DNSKEY", tcp=True).answer[0]
    rows = "".join(f'{ZONE} static-key {k.flags} {k.protocol} {int(k.algorithm)} "{k.to_text().split(" ", 3)[3]}";'
                   for k in key if k.flags & 1)
    world.write("/etc/delv.keys", f"trust-anchors {{ {rows} }};\n")

    def delv(*words):
        done = world.run("delv", "-a", "/etc/delv.keys", f"+root={ZONE}", "@127.0.0.1", *words)
        return done.stdout + done.stderr
    for name, rrtype in [("www", "A"), ("alias", "A"), ("x.wild", "TXT")]:
        assert "fully validated" in delv(f"{name}.{ZONE}", rrtype), delv(f"{name}.{ZONE}", rrtype)
    for name, rrtype in [("nope", "A"), ("www", "AAAA")]:
        assert "negative response, fully validated" in delv(f"{name}.{ZONE}", rrtype), delv(f"{name}.{ZONE}", rrtype)


@pytest.mark.skipif(not shutil.which("unbound"), reason="absent: unbound")
def test_unbound(plain):
    """Unbound goes down from the zone: what is in it is secure, what is below the delegation without DS insecure, what
    is below the one whose DS nobody has is bogus."""
    world = plain.world
    done = subprocess.run(["dnssec-dsfromkey", "-2", plain.names[0]], cwd=world.path(FOLDER), capture_output=True,
                          text=True, check=True)
    world.write("/etc/peer.conf", f"""server:
  interface: 127.0.0.3
  port: 5353
  username: ""
  chroot: ""
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor: "{done.stdout.strip()}"
stub-zone:
  name: "{ZONE}"
  stub-addr: 127.0.0.1
""")
    world.popen([shutil.which("unbound"), "-d", "-c", "/etc/peer.conf"], stderr=subprocess.DEVNULL)

    def through(name, rrtype="A"):
        return ask(world, f"{name}.{ZONE}".lstrip("."), rrtype, server="127.0.0.3", port=5353, want_dnssec=True,
                   timeout=2.0)
    ns.wait_for(lambda: through("www"), 10, "unbound")
    for name, rrtype in [("www", "A"), ("alias", "A"), ("nope", "A"), ("www", "TXT"), ("x.wild", "TXT"), ("b.c", "A")]:
        message = through(name, rrtype)
        assert rcode(message) == "NOERROR" and message.flags & dns.flags.AD, message
    below = through("www.sub")
    assert values(below) == ["192.0.2.9"] and not below.flags & dns.flags.AD, below
    assert rcode(through("www.secure")) == "SERVFAIL"


@pytest.mark.parametrize("line,error", [
    ("key file Knone.+013+00001", r"Knone\.\+013\+00001\.key"),
    ("key aws_secretsmanager x", "aws_secretsmanager"),
    ("key file", "Wrong argument count or unexpected line ending after 'file'"),
    ("cache_capacity many", "many"),
    ("verify", "unknown property 'verify'"),
    ("key file {other}", r"key other\.example\. \(keyid: \d+\) can not sign any of the zones"),
    ("key file {broken}", "not the private half of the DNSKEY"),
])
def test_mistakes_end_the_start(world, line, error):
    world.write(f"{FOLDER}/db.signed", DB)
    folder = world.path(FOLDER)

    def keygen(zone):
        return subprocess.run(["dnssec-keygen", "-q", "-f", "KSK", "-a", "ECDSAP256SHA256", zone], cwd=folder,
                              capture_output=True, text=True, check=True).stdout.strip()
    other, broken = keygen("other.example"), keygen(ZONE)
    (folder / f"{broken}.private").write_bytes((folder / f"{other}.private").read_bytes())
    world.write(f"{FOLDER}/Corefile", f"{ZONE}:53 {{\n    root {FOLDER}\n    file db.signed\n    dnssec {{\n        "
                + line.format(other=other, broken=broken) + "\n    }\n}\n")
    done = world.enter([world.borrowed("coredns"), "-conf", "Corefile"], cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 1 and re.search(error, done.stdout + done.stderr), done
    secret = re.search(r"PrivateKey: (\S+)", (folder / f"{other}.private").read_text())[1]
    assert secret not in done.stdout + done.stderr
