"""Zones of our own from zone files, beside named, knotd and nsd on the same files; signed by BIND's tools."""
import contextlib
import random
import re
import shutil
import socket
import subprocess
import time

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest

import ns
from ask import ask, counters
from conftest import needs
from ns import HERE, wait_for
from zonepeers import FOLDER, serve

pytestmark = needs("named", "knotd", "nsd", "dnssec-keygen", "dnssec-signzone", "dnssec-verify", "ldns-verify-zone")

ORACLES = {"named": 5401, "knotd": 5402, "nsd": 5403}
PARTNER = 5405
ORIGIN = "parity.test."
BATCH, TRIES = 30, 5     # questions under way at once; how often what is lost is asked again
SIGNERS = {"unsigned": None, "nsec": [], "nsec3": ["-3", "aabb"], "optout": ["-3", "-", "-A"]}

ZONE = """$ORIGIN parity.test.
$TTL 300
@        SOA ns1 host 2026010101 7200 1800 86400 60
@        NS  ns1
ns1      A   192.0.2.1
www      A   192.0.2.10
www      AAAA 2001:db8::10
alias    CNAME www
alias2   CNAME alias
outside  CNAME api.partner.example.
nowhere  CNAME gone.partner.example.
broken   CNAME nothere
ring1    CNAME ring2
ring2    CNAME ring1
a.b.ent  TXT "deep"
*.wild   A   192.0.2.20
*.wild   MX  10 mail
x.wild   TXT "own"
*.cw     CNAME www
*.cwx    CNAME nothere
mail     A   192.0.2.30
_sip._udp SRV 5 10 5060 www
old      DNAME new
t.new    A   192.0.2.40
child    NS  ns.child
ns.child A   192.0.2.50
child    DS  1111 13 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
plain    NS  ns.child
x.pe     NS  ns.child
down     CNAME x.child
downp    CNAME x.plain
"""
PARTNER_ZONE = """$ORIGIN partner.example.
$TTL 60
@   SOA ns host 1 7200 1800 86400 60
@   NS ns
ns  A 127.0.0.1
api A 203.0.113.5
"""
COREFILE = f"""parity.test:53 {{
    errors
    file {FOLDER}/zones/parity
}}
"""
BEYOND = f"""{COREFILE}.:53 {{
    forward . 127.0.0.1:{PARTNER}
}}
"""


def sh(world, *args):
    done = world.run(*args, cwd=f"{FOLDER}/zones")
    assert done.returncode == 0, done.stderr
    return done


def sign(world, how, origin=ORIGIN, file="parity", extra=()):
    """The zone of the file, signed as `how` says, in its place."""
    if how is None:
        return
    for flags in (["-f", "KSK"], []):
        sh(world, "dnssec-keygen", "-a", "ED25519", *flags, origin)
    sh(world, "dnssec-signzone", "-S", "-o", origin, "-f", "out", *how, *extra, file)
    sh(world, "mv", "out", file)


def others(world, file):
    """The same file served by three programs of other people."""
    folder = f"{FOLDER}/zones"
    world.write("/etc/others/named.conf", f"""options {{ directory "/etc/others"; listen-on port 5401 {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }}; recursion no; pid-file none; session-keyfile none; minimal-responses yes;
  dnssec-validation no; }};
controls {{ }};
zone "parity.test" {{ type primary; file "{folder}/{file}"; check-integrity no; }};
""")
    world.write("/etc/others/knot.conf", f"""server:
  listen: 127.0.0.1@5402
  rundir: /run
database:
  storage: /run
template:
  - id: default
    zonefile-load: whole
    journal-content: none
    zonefile-sync: -1
zone:
  - domain: parity.test
    file: {folder}/{file}
""")
    world.write("/etc/others/nsd.conf", f"""server:
  ip-address: 127.0.0.1@5403
  username: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  xfrdfile: "/run/xfrd"
  zonelistfile: "/run/zones"
  minimal-responses: yes
remote-control:
  control-enable: no
zone:
  name: parity.test
  zonefile: {folder}/{file}
""")
    for argv in (["named", "-f", "-c", "/etc/others/named.conf"], ["knotd", "-c", "/etc/others/knot.conf"],
                 ["nsd", "-d", "-c", "/etc/others/nsd.conf"]):
        world.popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for name, port in ORACLES.items():
        wait_for(lambda port=port: ask(world, ORIGIN, "SOA", port=port, timeout=1), 20, name)


def partner(world):
    """What the world beyond our zone knows."""
    world.write("/etc/partner/zone", PARTNER_ZONE)
    world.write("/etc/partner/nsd.conf", f"""server:
  ip-address: 127.0.0.1@{PARTNER}
  username: ""
  zonesdir: "/etc/partner"
  database: ""
  pidfile: ""
  xfrdfile: "/run/partner.xfrd"
  zonelistfile: "/run/partner.zones"
remote-control:
  control-enable: no
zone:
  name: partner.example
  zonefile: zone
""")
    world.popen(["nsd", "-d", "-c", "/etc/partner/nsd.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: ask(world, "partner.example.", "SOA", port=PARTNER, timeout=1), 20, "the partner's server")


@pytest.fixture(scope="module", params=list(SIGNERS))
def played(request, keys):
    """A zone signed one way, our program and the others."""
    with ns.World(keys, hosts={}) as world:
        world.write(f"{FOLDER}/zones/parity", ZONE)
        sign(world, SIGNERS[request.param])
        others(world, "parity")
        world.how = request.param
        world.server = serve(world, COREFILE)
        yield world


# --- beside others -------------------------------------------------------------------------------------------

NAMES = ("", "www", "missing", "b.ent", "ent", "x.b.ent", "foo.wild", "x.wild", "y.x.wild", "foo.bar.wild", "*.wild",
         "wild", "alias", "alias2", "broken", "ring1", "_sip._udp", "_udp", "t.old", "old", "no.old", "x.child",
         "child", "ns.child", "plain", "x.plain", "pe", "x.pe", "y.x.pe", "z.pe", "down", "downp", "foo.cw", "foo.cwx",
         "mail", "zzz", "0", "\\000", "a.b.c.d.e", "WWW.Wild", "Www")
KINDS = ("A", "TXT", "MX", "NS", "DS", "SOA", "CNAME", "SRV", "DNAME", "AAAA")


def records(section):
    found = set()
    for rrset in section:
        for rdata in rrset:
            kind = dns.rdatatype.to_text(rrset.rdtype)
            if kind == "RRSIG":
                kind += " " + dns.rdatatype.to_text(rdata.covers())
            found.add((rrset.name.to_text().lower(), kind, rdata.to_text().lower()))
    return found


def view(message):
    """What must be equal: RCODE, AA, answer, authority. The zone's own servers come with answers of CoreDNS."""
    answer, authority = records(message.answer), records(message.authority)
    if answer:
        authority = {r for r in authority if not (r[0] == ORIGIN and r[1] in ("NS", "RRSIG NS"))}
    return dns.rcode.to_text(message.rcode()), bool(message.flags & dns.flags.AA), answer, authority


def views(world, questions, port):
    """The answers to all of them, a few at a time on one socket; what is lost is asked again."""
    seen = {}
    with world.net():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.5)
        for _ in range(TRIES):
            open_ones = [q for q in questions if q not in seen]
            for at in range(0, len(open_ones), BATCH):
                part = dict(enumerate(open_ones[at:at + BATCH]))
                for number, (name, kind, dnssec) in part.items():
                    query = dns.message.make_query(name, kind, want_dnssec=dnssec, use_edns=0, payload=4096)
                    query.id, query.flags = number, 0
                    sock.send(query.to_wire())
                with contextlib.suppress(TimeoutError):
                    while part:
                        reply = dns.message.from_wire(sock.recv(65535))
                        if reply.id in part:
                            seen[part.pop(reply.id)] = view(reply)
    return seen


def compare(world, names, kinds):
    """Every question answered as at least one of the three answers it; they differ among themselves here and there."""
    questions = [(f"{name}.{ORIGIN}" if name else ORIGIN, kind, dnssec)
                 for name in names for kind in kinds for dnssec in (False, True)]
    ours = views(world, questions, 53)
    assert len(ours) == len(set(questions))
    theirs = {name: views(world, questions, port) for name, port in ORACLES.items()}
    return [(q, ours[q], {name: t[q] for name, t in theirs.items()}) for q in questions
            if ours[q] not in [t[q] for t in theirs.values()]]


def test_answers_are_those_of_others(played):
    assert compare(played, NAMES, KINDS) == []


def test_random_zones(keys):
    """Trees of names made at random: with wildcards, aliases, delegations and nothing in between."""
    for seed, how in ((1, "nsec"), (2, "nsec3"), (3, "optout"), (4, "unsigned")):
        rng = random.Random(seed)
        names = sorted({".".join(rng.choice("abc*") for _ in range(rng.randint(1, 4))) for _ in range(40)})
        names = [n for n in names if not re.search(r"\.\*|\*.*\*", n)]
        lines, cuts = [ZONE.split("www ")[0]], []
        for name in names:
            if any(name == c or name.endswith("." + c) for c in cuts):
                continue
            kind = rng.choice(["A", "A", "CNAME", "NS", "TXT"]) if "*" not in name else rng.choice(["A", "CNAME"])
            if kind == "NS":
                cuts.append(name)
            data = {"A": "192.0.2.9", "CNAME": rng.choice(names), "NS": "ns1", "TXT": '"t"'}[kind]
            lines.append(f"{name} {kind} {data}")
        asked = [".".join(rng.choice("abcd*") for _ in range(rng.randint(1, 4))) for _ in range(60)] + names
        with ns.World(keys, hosts={}) as world:
            world.write(f"{FOLDER}/zones/parity", "\n".join(lines) + "\n")
            sign(world, SIGNERS[how])
            others(world, "parity")
            serve(world, COREFILE)
            assert compare(world, asked, ("A", "TXT", "DS", "NS")) == [], (seed, how)


# --- cases ---------------------------------------------------------------------------------------------------

SOA = "parity.test. 300 IN SOA ns1.parity.test. host.parity.test. 2026010101 7200 1800 86400 60"
NS = "parity.test. 300 IN NS ns1.parity.test."
CASES = {
    "F01": ("www A", "NOERROR", True, ["www 300 IN A 192.0.2.10"], [NS], []),
    "F02": ("www TXT", "NOERROR", True, [], [SOA], []),
    "F03": ("missing A", "NXDOMAIN", True, [], [SOA], []),
    "F04": ("ent A", "NOERROR", True, [], [SOA], []),
    "F05": ("foo.wild MX", "NOERROR", True, ["foo.wild 300 IN MX 10 mail.parity.test."], [NS],
            ["mail 300 IN A 192.0.2.30"]),
    "F06": ("y.x.wild A", "NXDOMAIN", True, [], [SOA], []),
    "F07": ("foo.bar.wild A", "NOERROR", True, ["foo.bar.wild 300 IN A 192.0.2.20"], [NS], []),
    "F08": ("*.wild A", "NOERROR", True, ["*.wild 300 IN A 192.0.2.20"], [NS], []),
    "F09": ("alias2 A", "NOERROR", True, ["alias2 300 IN CNAME alias.parity.test.",
                                          "alias 300 IN CNAME www.parity.test.", "www 300 IN A 192.0.2.10"], [NS], []),
    "F10": ("alias CNAME", "NOERROR", True, ["alias 300 IN CNAME www.parity.test."], [NS], []),
    "F12": ("broken A", "NXDOMAIN", True, ["broken 300 IN CNAME nothere.parity.test."], [SOA], []),
    "F14": ("t.old A", "NOERROR", True, ["old 300 IN DNAME new.parity.test.", "t.old 300 IN CNAME t.new.parity.test.",
                                         "t.new 300 IN A 192.0.2.40"], [NS], []),
    "F15": ("old A", "NOERROR", True, [], [SOA], []),
    "F16": ("x.child A", "NOERROR", False, [], ["child.parity.test. 300 IN NS ns.child.parity.test."],
            ["ns.child 300 IN A 192.0.2.50"]),
    "F18": ("child NS", "NOERROR", False, [], ["child.parity.test. 300 IN NS ns.child.parity.test."],
            ["ns.child 300 IN A 192.0.2.50"]),
    "F19": ("_sip._udp SRV", "NOERROR", True, ["_sip._udp 300 IN SRV 5 10 5060 www.parity.test."], [NS],
            ["www 300 IN A 192.0.2.10", "www 300 IN AAAA 2001:db8::10"]),
    "F20": ("@ NS", "NOERROR", True, [NS], [], ["ns1 300 IN A 192.0.2.1"]),
    "F21": ("www ANY", "NOERROR", True, ["www 300 IN A 192.0.2.10"], [NS], []),
    "F23": ("WWW A", "NOERROR", True, ["WWW 300 IN A 192.0.2.10"], [NS], []),
}


@pytest.fixture(scope="module")
def plain(keys):
    with ns.World(keys, hosts={}) as world:
        world.write(f"{FOLDER}/zones/parity", ZONE)
        world.server = serve(world, COREFILE)
        yield world


def lines(section):
    return [line for rrset in section for line in rrset.to_text().split("\n")]


def full(row):
    owner, rest = row.split(" ", 1)
    return row if owner.endswith(".") else f"{owner}.{ORIGIN} {rest}"


@pytest.mark.parametrize("case", list(CASES))
def test_case(plain, case):
    question, rcode, aa, answer, authority, additional = CASES[case]
    name, kind = question.split()
    reply = ask(plain, ORIGIN if name == "@" else f"{name}.{ORIGIN}", kind)
    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert bool(reply.flags & dns.flags.AA) == aa
    assert lines(reply.answer) == [full(r) for r in answer]
    assert lines(reply.authority) == authority
    assert lines(reply.additional) == [full(r) for r in additional]


def test_an_alias_out_of_the_zone_is_resolved_by_the_server(world):
    """F11, and RFC 6604: the RCODE is that of the target."""
    world.write(f"{FOLDER}/zones/parity", ZONE)
    partner(world)
    serve(world, BEYOND)
    reply = ask(world, "outside.parity.test.")
    assert lines(reply.answer) == ["outside.parity.test. 300 IN CNAME api.partner.example.",
                                   "api.partner.example. 60 IN A 203.0.113.5"]
    assert reply.rcode() == dns.rcode.NOERROR and reply.flags & dns.flags.AA
    reply = ask(world, "nowhere.parity.test.")
    assert lines(reply.answer) == ["nowhere.parity.test. 300 IN CNAME gone.partner.example."]
    assert reply.rcode() == dns.rcode.NXDOMAIN


def test_a_circle_of_aliases_ends(plain):
    """F13."""
    reply = ask(plain, "ring1.parity.test.")
    assert len(reply.answer) <= 10


def test_no_transfer(plain):
    """F22 without `transfer`."""
    assert ask(plain, ORIGIN, "AXFR", tcp=True).rcode() == dns.rcode.REFUSED


def test_another_zone_is_refused_where_no_block_has_it(plain):
    assert ask(plain, "www.example.").rcode() == dns.rcode.REFUSED
    reply = ask(plain, "outside.parity.test.")   # nobody to ask: the alias stays (F11)
    assert reply.rcode() == dns.rcode.SERVFAIL
    assert lines(reply.answer) == ["outside.parity.test. 300 IN CNAME api.partner.example."]


# --- files ---------------------------------------------------------------------------------------------------

RELOADING = COREFILE.replace("zones/parity\n", "zones/parity {\n        reload 200ms\n    }\n")


def first(world, name="www", kind="A"):
    reply = ask(world, f"{name}.{ORIGIN}", kind)
    return reply.answer[0][0].to_text() if reply and reply.answer else reply and dns.rcode.to_text(reply.rcode())


def test_a_changed_zone_is_taken_with_its_serial(world):
    """F24."""
    world.write(f"{FOLDER}/zones/parity", ZONE)
    server = serve(world, RELOADING)
    assert first(world) == "192.0.2.10"
    moved = ZONE.replace("www      A   192.0.2.10", "www      A   192.0.2.11")
    world.write(f"{FOLDER}/zones/parity", moved)
    time.sleep(1.5)
    assert first(world) == "192.0.2.10"
    world.write(f"{FOLDER}/zones/parity", moved.replace("2026010101", "2026010102"))
    wait_for(lambda: first(world) == "192.0.2.11", 10, "the new zone")
    world.write(f"{FOLDER}/zones/parity", moved.replace("2026010101", "2026010103") + "broken BROKEN\n")
    server.wait_log("unknown record type 'BROKEN'")
    assert first(world) == "192.0.2.11"
    world.write(f"{FOLDER}/zones/parity", ZONE.replace("2026010101", "2026010104"))
    wait_for(lambda: first(world) == "192.0.2.10", 10, "the mended zone")


def test_a_changed_zone_is_taken_by_its_time_alone(world):
    """`reload_by_mtime`: the serial does not count."""
    world.write(f"{FOLDER}/zones/parity", ZONE)
    serve(world, RELOADING.replace("reload 200ms", "reload 200ms\n        reload_by_mtime"))
    assert first(world) == "192.0.2.10"
    world.write(f"{FOLDER}/zones/parity", ZONE.replace("www      A   192.0.2.10", "www      A   192.0.2.11"))
    wait_for(lambda: first(world) == "192.0.2.11", 10, "the new zone")


def test_what_is_included_is_watched_too(world):
    """$INCLUDE, below the folder of the file that says so."""
    world.write(f"{FOLDER}/zones/parity", ZONE + "$INCLUDE more/hosts\n")
    world.write(f"{FOLDER}/zones/more/hosts", "extra A 192.0.2.90\n")
    serve(world, RELOADING.replace("reload 200ms", "reload 200ms\n        reload_by_mtime"))
    assert first(world, "extra") == "192.0.2.90"
    world.write(f"{FOLDER}/zones/more/hosts", "extra A 192.0.2.91\n")
    wait_for(lambda: first(world, "extra") == "192.0.2.91", 10, "the new address")


def test_a_zone_whose_file_comes_later(world):
    server = serve(world, RELOADING)
    assert first(world) == "SERVFAIL"
    world.write(f"{FOLDER}/zones/parity", ZONE)
    wait_for(lambda: first(world) == "192.0.2.10", 10, "the zone")
    assert server.alive()


@pytest.mark.parametrize("text, says", [
    (ZONE.replace("@        SOA", ";"), 'has no SOA record for origin parity.test.'),
    (ZONE + "www CNAME mail\n", "a name with a CNAME and other data"),
    (ZONE + "x AX 1\n", "unknown record type 'AX'"),
    (None, "no such file"),
], ids=["no SOA", "CNAME and others", "no such type", "missing"])
def test_what_is_wrong_at_the_start_ends_it(world, text, says):
    corefile = COREFILE
    if text is None:
        corefile = COREFILE.replace("zones/parity\n", "zones/parity {\n        reload 0\n    }\n")
    else:
        world.write(f"{FOLDER}/zones/parity", text)
    server = serve(world, corefile, ready=False)
    assert server.process.wait(20) == 1
    assert says.lower() in server.stderr().lower()


def test_fallthrough(world):
    """F29: a name that is not there goes on, one without data does not."""
    world.write(f"{FOLDER}/zones/parity", ZONE)
    world.write(f"{FOLDER}/zones/below", ZONE.split("ns1      A")[0] + "missing A 192.0.2.77\nns1 A 192.0.2.1\n")
    corefile = COREFILE.replace("zones/parity\n", "zones/parity {\n        fallthrough\n    }\n    file "
                                f"{FOLDER}/zones/below\n")
    serve(world, corefile)
    assert first(world, "missing") == "192.0.2.77"
    assert ask(world, "www.parity.test.", "TXT").rcode() == dns.rcode.NOERROR
    assert ask(world, "gone.parity.test.").rcode() == dns.rcode.NXDOMAIN


# --- signed zones --------------------------------------------------------------------------------------------

INTERNAL = """$ORIGIN internal.example.com.
$TTL 3600
@    IN SOA ns1 admin 2024010101 3600 600 604800 300
@    IN NS ns1
ns1  IN A 10.0.0.10
api  IN A 10.0.0.20
db   IN A 10.0.0.30
db   IN A 10.0.0.31
web  IN CNAME api
*.apps IN A 10.0.0.40
"""


def signed_internal(world, how=(), extra=()):
    """As the guide has it: dnssec-signzone over the zone's file, the result beside it."""
    world.write(f"{FOLDER}/zones/internal.example.com", INTERNAL)
    sign(world, list(how), "internal.example.com.", "internal.example.com", extra)
    sh(world, "mv", "internal.example.com", "internal.example.com.signed")
    return world.read(f"{FOLDER}/zones/internal.example.com.signed")


def gathered(world, zone):
    """Every record of the zone as it is served, by questions for each of its sets."""
    out = []
    for name, node in zone.nodes.items():
        kinds = {r.rdtype for r in node.rdatasets} - {dns.rdatatype.RRSIG, dns.rdatatype.NSEC3}
        for kind in kinds:
            reply = ask(world, name, kind, want_dnssec=True, payload=4096)
            out += [r for r in reply.answer if r.name == name]
    return out


@pytest.mark.parametrize("how", [[], ["-3", "-"]], ids=["nsec", "nsec3"])
def test_the_guides_signed_zone_is_served_as_it_stands(world, how):
    """The users' file word for word, over what BIND's tools made: each record as in the file, and it verifies."""
    text = signed_internal(world, how)
    serve(world, (HERE / "data" / "12-internal-signed.Corefile").read_text())
    zone = dns.zone.from_text(text, "internal.example.com.", relativize=False)
    for name, rdataset in zone.iterate_rdatasets():
        if rdataset.rdtype in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC3):
            continue
        reply = ask(world, name, rdataset.rdtype, want_dnssec=True, payload=4096)
        assert reply.flags & dns.flags.AA and not reply.flags & dns.flags.AD
        got = reply.get_rrset(reply.answer, name, dns.rdataclass.IN, rdataset.rdtype)
        assert got == dns.rrset.from_rdata_list(name, rdataset.ttl, rdataset) and got.ttl == rdataset.ttl
        sigs = zone.find_rdataset(name, dns.rdatatype.RRSIG, rdataset.rdtype)
        got = reply.get_rrset(reply.answer, name, dns.rdataclass.IN, dns.rdatatype.RRSIG, rdataset.rdtype)
        assert set(got) == set(sigs)
    if not how:   # all of it can be asked for, so the copy is a whole zone
        copy = "\n".join(r.to_text() for r in gathered(world, zone)) + "\n"
        world.write(f"{FOLDER}/zones/copy", copy)
        sh(world, "dnssec-verify", "-o", "internal.example.com", "copy")
        sh(world, "ldns-verify-zone", "copy")


def test_delv_believes_what_is_served(world):
    """Answers of each kind, proved by BIND's validator from the zone's own key."""
    for how in ([], ["-3", "-"]):
        text = signed_internal(world, how)
        serve_again = serve(world, (HERE / "data" / "12-internal-signed.Corefile").read_text())
        zone = dns.zone.from_text(text, "internal.example.com.", relativize=False)
        keys = [r for r in zone.find_rdataset("internal.example.com.", "DNSKEY") if r.flags & 1]
        anchor = "".join(f'"internal.example.com." static-key {k.to_text().split(" ", 3)[0]} 3 {k.algorithm} '
                         f'"{k.to_text().split(" ", 3)[3].replace(" ", "")}"; ' for k in keys)
        world.write("/etc/delv.key", f"trust-anchors {{ {anchor} }};\n")
        for name, kind, says in (("api", "A", "10.0.0.20"), ("web", "A", "10.0.0.20"), ("x.apps", "A", "10.0.0.40"),
                                 ("nope", "A", "ncache nxdomain"), ("api", "AAAA", "ncache nxrrset"),
                                 ("apps", "A", "ncache nxrrset"), ("x.apps", "TXT", "ncache nxrrset")):
            done = world.run("delv", "@127.0.0.1", "-a", "/etc/delv.key", "+root=internal.example.com",
                             f"{name}.internal.example.com", kind)
            assert "fully validated" in done.stdout and "unsigned" not in done.stdout, (how, name, done.stdout)
            assert says in done.stdout + done.stderr, (how, name, done.stdout, done.stderr)
        assert serve_again.stop() == 0
        for key in world.path(f"{FOLDER}/zones").glob("K*"):
            key.unlink()
        shutil.rmtree(world.path(f"{FOLDER}/zones"))


def test_a_zone_whose_signatures_ended_is_told_of_and_served(world):
    """F27: `validate serve` over what was signed for last winter: lines, a counter, and the data as it stands."""
    signed_internal(world, extra=["-P", "-s", "20251201000000", "-e", "20260101000000"])
    server = serve(world, (HERE / "data" / "12-internal-signed.Corefile").read_text())
    server.wait_log(r"dnssec: own zone: .*: signature expired", 20)
    server.wait_log(r"dnssec: own zone internal\.example\.com\. serial \d+: \d+ of its sets are not in order", 20)
    reply = ask(world, "api.internal.example.com.", want_dnssec=True)
    assert lines(reply.answer)[0] == "api.internal.example.com. 3600 IN A 10.0.0.20" and len(reply.answer) == 2


def test_numbers_of_own_zones(world):
    """The same on the page of numbers: how many sets, and why."""
    signed_internal(world, extra=["-P", "-s", "20251201000000", "-e", "20260101000000"])
    server = serve(world, (HERE / "data" / "12-internal-signed.Corefile").read_text())
    server.wait_log(r"of its sets are not in order", 20)
    page = counters(world)
    wrong = {k: v for k, v in page.items() if k.startswith("signet_zone_sets_wrong{")}
    assert len(wrong) == 1 and re.search(r'zone="internal.example.com.",reason="signature_expired"', str(wrong)), page


def test_a_zone_that_is_in_order_is_said_to_be(world):
    """The same with good signatures: one line, no warning."""
    signed_internal(world)
    server = serve(world, (HERE / "data" / "12-internal-signed.Corefile").read_text())
    said = server.wait_log(r"dnssec: own zone internal\.example\.com\. serial \d+: \d+ checked, the next signature", 20)
    assert len(said) == 1 and not server.lines(r"dnssec: own zone: ")
