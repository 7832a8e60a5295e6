"""signet verify, and the name delv: beside the packaged delv, before the same servers, and what each says."""
import json
import os
import re
import shutil
import socket
import subprocess
import threading

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.zone
import pytest

import ns
import signedtree
from signedtree import Tree, Zones

pytestmark = [pytest.mark.skipif(bool(signedtree.tools_missing()), reason=f"absent: {signedtree.tools_missing()}"),
              pytest.mark.skipif(not ns.program().exists(), reason="no program to test (make builds it)")]
ZONE = """$ORIGIN {zone}.
$TTL 300
@ IN SOA ns Hostmaster 1 7200 3600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
www IN A 192.0.2.2
www IN A 192.0.2.1
txt IN TXT "Hello world" "b;\\"c"
mx IN MX 10 Mail
caa IN CAA 0 issue "ca.example"
tlsa IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
alias IN CNAME www
out IN CNAME www.unsigned.
broken IN CNAME www.expired.
*.wild IN A 192.0.2.3
a-rather-long-name-that-leaves-its-column.wild IN AAAA 2001:db8::1
dname IN DNAME wild
unsigned IN NS ns.unsigned
ns.unsigned IN A 127.0.0.1
"""
PAST, FUTURE = ("-P", "-s", "20200101000000", "-e", "20200201000000"), ("-P", "-s", "20300101000000",
                                                                         "-e", "20300201000000")
SIGNED = {"good": {}, "n3": {"nsec3": (0, "-", ())}, "expired": {"words": PAST}, "early": {"words": FUTURE},
          "forged": {}, "keyless": {}, "otherds": {}, "nosig": {}, "rsa": {"algorithm": "RSASHA256"}}
YES, NO, USAGE, WORLD = 0, 1, 2, 3


class Broken(Zones):
    """Good zones, and some whose owners made one mistake each."""

    def change(self, zone, how):
        path = self.zones[zone]
        made = dns.zone.from_file(str(path), origin=f"{zone}.", relativize=False)
        how(made)
        made.to_file(str(path), relativize=False)

    def make(self):
        ds = ""
        for zone, words in SIGNED.items():
            lines = self.sign(zone, ZONE.format(zone=zone), **words)
            if zone == "otherds":
                fields = lines.split()
                lines = " ".join(fields[:6]) + " " + "00" * 32 + "\n"
            ds += lines
            self.plain(f"unsigned.{zone}")
        path = self.zones["forged"]
        path.write_text(path.read_text().replace("192.0.2.1\n", "6.6.6.6\n"))
        self.change("nosig", lambda z: z.delete_rdataset("www.nosig.", "RRSIG", "A"))
        self.change("keyless", lambda z: (z.delete_rdataset("keyless.", "DNSKEY"),
                                          z.delete_rdataset("keyless.", "RRSIG", "DNSKEY")))
        self.plain("unsigned")
        names = "".join(f"{z} IN NS ns.{z}\nns.{z} IN A 127.0.0.1\n" for z in (*SIGNED, "unsigned"))
        self.root_ds = self.sign("", "$ORIGIN .\n$TTL 300\n. IN SOA ns. h. 1 2 3 4 60\n. IN NS ns.\n"
                                 f"ns. IN A 127.0.0.1\n{names}{ds}")


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    return Broken(tmp_path_factory.mktemp("zones"))


@pytest.fixture(scope="module", params=["named", "nsd"])
def tree(request, zones, tmp_path_factory):
    if not shutil.which(request.param):
        pytest.skip(f"not installed: {request.param}")
    folder = tmp_path_factory.mktemp(request.param)
    made = Tree(zones, folder, request.param)
    made.anchor = folder / "anchors"
    fields = zones.root_ds.split()
    at = fields.index("DS")
    tag, alg, digest = fields[at + 1:at + 4]
    made.anchor.write_text(f'trust-anchors {{ "." static-ds {tag} {alg} {digest} "{"".join(fields[at + 4:])}"; }};\n')
    yield made
    made.end()


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    link = tmp_path_factory.mktemp("bin") / "delv"
    link.symlink_to(ns.program())
    return link


def both_at_one_port():
    """A UDP socket and a TCP listener at the same port, which others may have for either."""
    for _ in range(100):
        listener = socket.create_server(("127.0.0.1", 0))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(listener.getsockname())
            return sock, listener
        except OSError:
            sock.close()
            listener.close()
    raise AssertionError("no port is free for both")


class Between:
    """A UDP host before the tree that passes everything on, changed by `how(question, message)`. With tcp its port's
    `listener` is its user's."""

    def __init__(self, tree, how, tcp=False):
        self.tree, self.how = tree, how
        self.sock, self.listener = both_at_one_port()
        if not tcp:
            self.listener.close()
        self.sock.settimeout(0.1)
        self.port, self.ended = self.sock.getsockname()[1], False
        self.seen, self.flags = [], []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while not self.ended:
            try:
                data, peer = self.sock.recvfrom(4096)
            except OSError:
                continue
            query = dns.message.from_wire(data)
            self.seen.append(query)
            self.flags.append(query.flags)
            query.flags &= ~dns.flags.CD
            reply = dns.query.udp(query, "127.0.0.1", port=self.tree.port, timeout=5)
            reply = self.how(query.question[0], reply)
            if reply is not None:
                self.sock.sendto(reply.to_wire(), peer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended = True
        self.thread.join()
        self.sock.close()


def verify(tree, *words, port=None, anchor=True):
    anchors = ("--anchor", tree.anchor, "--no-builtin-anchors") if anchor else ()
    return subprocess.run([ns.program(), "verify", "--server", f"127.0.0.1@{port or tree.port}", *anchors, *words],
                          capture_output=True, text=True, timeout=60, check=False)


# --- under our own name ---

@pytest.mark.parametrize("name,rrtype,says", [
    ("www.good", "A", "is proved"), ("www.rsa", "A", "is proved"), ("alias.good", "A", "is proved"),
    ("a.b.wild.good", "A", "is proved"), ("x.dname.good", "A", "is proved"), ("good", "DNSKEY", "is proved"),
    ("good", "DS", "is proved"), (".", "NS", "is proved"),
    ("www.good", "AAAA", "has no records, and that is proved"),
    ("www.n3", "AAAA", "has no records, and that is proved"),
    ("nx.good", "A", "does not exist, and that is proved"), ("nx.n3", "A", "does not exist, and that is proved"),
])
def test_secure(tree, name, rrtype, says):
    done = verify(tree, name, rrtype)
    assert done.returncode == YES and done.stdout.splitlines()[-1].endswith(says), done.stdout + done.stderr
    assert re.match(r"\.  secure: anchor DS \d+/13/2; DNSKEY .*\d+/13\*.* signed by \d+, \d+ days left", done.stdout)
    if name == "www.good" and rrtype == "A":
        assert re.search(r"^`- good\.  secure: DS \d+/13/2 signed by \d+, \d+ days left", done.stdout, re.M)
        assert re.search(r"^   `- www\.good\. A  secure: 2 records, signed by \d+", done.stdout, re.M)


@pytest.mark.parametrize("name", ["www.unsigned", "nx.unsigned.good", "out.good", "www.unsigned.n3"])
def test_insecure(tree, name):
    done = verify(tree, name)
    assert done.returncode == YES and "insecure: " in done.stdout and "where: delegation of unsigned." in done.stdout
    assert verify(tree, name, "--require-secure").returncode == NO
    assert verify(tree, "www.good", "--require-secure").returncode == YES


@pytest.mark.parametrize("name,why,ede,where", [
    ("www.expired", "signature expired", 7, "DNSKEY of expired."),
    ("broken.good", "signature expired", 7, "DNSKEY of expired."),
    ("nx.expired", "signature expired", 7, "DNSKEY of expired."),
    ("www.early", "signature before inception date", 8, "DNSKEY of early."),
    ("www.forged", "signature crypto failed", 6, "www.forged. A"),
    ("www.keyless", "no DNSKEY rrset", 9, "DNSKEY of keyless."),
    ("www.otherds", "DS hash mismatches key", 9, "DNSKEY of otherds."),
    ("www.nosig", "no signatures", 10, "www.nosig. A"),
])
def test_bogus(tree, name, why, ede, where):
    done = verify(tree, name)
    assert done.returncode == NO, done.stdout + done.stderr
    assert f"  why:   {why}; EDE {ede} " in done.stdout and f"  where: {where}\n" in done.stdout, done.stdout
    told = json.loads(verify(tree, name, "--json").stdout)
    assert (told["verdict"], told["why"], told["ede"], told["where"]) == ("bogus", why, ede, where)
    if why.startswith("signature ") and why != "signature crypto failed":
        assert told["key_tag"] in [k["key_tag"] for link in told["links"] for k in link["keys"]]


def test_json_is_the_chain(tree):
    told = json.loads(verify(tree, "www.good", "--json").stdout)
    root, good = told["links"]
    assert told["verdict"] == "secure" and root["anchor"] and good["parent"] == "." and good["security"] == "secure"
    assert good["ds"][0]["matched"] and good["ds_signature"]["ok"] and 20 < good["ds_signature"]["days_left"] < 40
    assert [k["vouched"] for k in sorted(good["keys"], key=lambda k: k["flags"])] == [False, True]
    assert told["answers"][0]["sets"][0]["records"] == 2


def test_what_cannot_be_told(tree):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    for done in (verify(tree, "www.good", port=port), verify(tree, "--no-builtin-anchors", "www.good", anchor=False)):
        assert done.returncode == WORLD and "could not tell" in done.stdout, done.stdout + done.stderr
    # keys that cannot be had are no proof that anything is wrong
    def refuse(question, reply):
        if question.rdtype == dns.rdatatype.DNSKEY and str(question.name) == "good.":
            reply.answer, reply.authority = [], []
            reply.set_rcode(5)
        return reply
    with Between(tree, refuse) as host:
        done = verify(tree, "www.good", port=host.port)
        assert done.returncode == WORLD and "answers REFUSED to good. DNSKEY" in done.stdout, done.stdout
        assert all(q.ednsflags & dns.flags.DO for q in host.seen)
    # the root keys that are built in did not sign this root
    assert verify(tree, "www.good", anchor=False).returncode == NO


def test_the_second_server_is_asked(tree):
    with Between(tree, lambda _q, r: (r.set_rcode(2), r)[1]) as host:
        words = ("--server", f"127.0.0.1@{tree.port}", "--anchor", tree.anchor, "www.good")
        done = subprocess.run([ns.program(), "verify", "--server", f"127.0.0.1@{host.port}", *words],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == YES and host.seen, done.stdout


def test_another_date(tree):
    assert verify(tree, "www.expired", "--date", "20200115000000").returncode == NO   # the root was not yet signed
    done = verify(tree, "www.good", "--date", "20400101000000")
    assert done.returncode == NO and "EDE 7" in done.stdout and "DNSKEY of ." in done.stdout


def test_truncated_answers_come_over_tcp(tree):
    def cut(_question, reply):
        reply.flags |= dns.flags.TC
        reply.answer, reply.authority, reply.additional = [], [], []
        return reply
    with Between(tree, cut, tcp=True) as host:
        listener = host.listener

        def relay():
            while True:
                try:
                    conn, _ = listener.accept()
                except OSError:
                    return
                with conn:
                    query = dns.query.receive_tcp(conn)[0]
                    dns.query.send_tcp(conn, dns.query.tcp(query, "127.0.0.1", port=tree.port, timeout=5))
        thread = threading.Thread(target=relay)
        thread.start()
        try:
            done = verify(tree, "www.good", port=host.port)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
        assert done.returncode == YES and host.seen, done.stdout


@pytest.mark.parametrize("words,status", [
    (("--help",), YES), ((), USAGE), (("www.good", "NOTYPE"), USAGE), (("www..good",), USAGE), (("--nonsense",), USAGE),
    (("a", "A", "b"), USAGE), (("a", "--anchor", "/nonexist"), USAGE), (("a", "--date", "yesterday"), USAGE),
    (("a", "--server"), USAGE), (("a", "--server", "x"), USAGE), (("a", "AXFR"), USAGE), (("a", "RRSIG"), USAGE),
])
def test_usage(words, status):
    done = subprocess.run([ns.program(), "verify", *words], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == status and bool(done.stderr) == (status == USAGE), done.stdout + done.stderr


def test_quiet_and_help(tree):
    done = verify(tree, "www.forged", "--quiet")
    assert done.returncode == NO and done.stdout + done.stderr == ""
    done = subprocess.run([ns.program(), "help", "verify"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0 and "example: signet verify" in done.stdout


# --- over TLS, and a user's own lines ---

def test_over_tls_the_name_is_checked(world, is_unbound):
    if is_unbound:
        pytest.skip("the packaged program has no such command")
    anchor = ("--anchor", "/var/lib/unbound/root.key", "--no-builtin-anchors")
    right, wrong = "1.1.1.1@853#cloudflare-dns.com", "1.1.1.1@853#dns.quad9.net"
    done = world.run(ns.program(), "verify", "--server", right, *anchor, "www.secure")
    assert done.returncode == YES and "www.secure. A is proved" in done.stdout, done.stdout + done.stderr
    assert world.run(ns.program(), "verify", "--server", right, *anchor, "www.forged").returncode == NO
    done = world.run(ns.program(), "verify", "--server", wrong, *anchor, "www.secure")
    assert done.returncode == WORLD and "could not tell" in done.stdout, done.stdout


def test_a_users_lines(world, is_unbound):
    """delv @1.1.1.1 example.com A, as guides have it; the root's keys come from where delv looks for them."""
    if is_unbound:
        pytest.skip("the packaged program has no such command")
    tag, alg, digest, text = (world.keys / "root.key").read_text().split()[3:]
    world.write("/etc/bind/bind.keys", f'trust-anchors {{ . static-ds {tag} {alg} {digest} "{text}"; }};\n')
    for name, said in (("www.secure", "; fully validated\n"), ("example.com", "; unsigned answer\n")):
        done = world.run(world.borrowed("delv"), "@1.1.1.1", name, "A")
        assert done.returncode == 0 and done.stdout.startswith(said), done.stdout + done.stderr
    done = world.run(world.borrowed("delv"), "@1.1.1.1", "www.forged", "A")
    assert done.returncode == 0 and ";; resolution failed: RRSIG failed to verify\n" in done.stderr, done.stderr


# --- under the name delv ---

ASKED = [("www.good",), ("www.good", "A"), ("txt.good", "TXT"), ("mx.good", "MX"), ("caa.good", "CAA"),
         ("tlsa.good", "TLSA"), ("www.good", "AAAA"), ("nx.good",), ("nx.n3",), ("www.n3", "AAAA"), ("alias.good",),
         ("out.good",), ("broken.good",), ("a.wild.good",), ("a.dname.good",), ("www.unsigned",), ("nx.unsigned",),
         ("www.unsigned", "MX"), ("nx.unsigned.good",), ("good", "DNSKEY"), ("rsa", "DNSKEY"), ("good", "SOA"),
         ("good", "DS"), ("good", "NS"), ("a-rather-long-name-that-leaves-its-column.wild.good", "AAAA"), ()]
BOGUS = [("www.expired",), ("www.early",), ("www.forged",), ("www.keyless",), ("www.otherds",), ("www.nosig",),
         ("nx.expired",), ("nx.otherds",)]
STYLES = ["+short", "+multiline", "+nodnssec", "+noclass", "+nottl", "+nocrypto", "+norrcomments", "+split=20",
          "+unknownformat", "+noall", "+notrust", "+cd", "+tcp"]


def both(tree, ours, *words, port=None):
    """What the packaged delv and ours print."""
    out = []
    for program in ("delv", ours):
        done = subprocess.run([program, "@127.0.0.1", "-p", str(port or tree.port), "-a", tree.anchor, *words],
                              capture_output=True, text=True, timeout=60, check=False)
        out.append((done.returncode, done.stdout, done.stderr))
    return out


needs_delv = pytest.mark.skipif(not shutil.which("delv"), reason="not installed: delv")


@needs_delv
@pytest.mark.parametrize("words", ASKED + BOGUS, ids=" ".join)
def test_as_delv_to_the_byte(tree, ours, words):
    theirs, mine = both(tree, ours, *words)
    assert mine == theirs


@needs_delv
@pytest.mark.parametrize("style", STYLES)
def test_as_delv_in_each_style(tree, ours, style):
    for words in (("www.good",), ("www.good", "AAAA"), ("good", "DNSKEY"), ("good", "SOA"), ("good", "DS"),
                  ("out.good",), ("www.forged",)):
        theirs, mine = both(tree, ours, *words, style)
        assert mine == theirs, (words, style)


@needs_delv
def test_as_delv_without_validation(tree, ours):
    for words in (("www.good",), ("www.expired",), ("www.good", "AAAA"), ("nx.good",), ("www.unsigned",)):
        theirs, mine = both(tree, ours, "-i", *words)
        assert mine == theirs, words


def strip(*types):
    wanted = {dns.rdatatype.from_text(t) for t in types}

    def keep(s):
        return s.rdtype not in wanted and not (s.rdtype == dns.rdatatype.RRSIG and s.covers in wanted)

    def how(_question, reply):
        reply.authority = [s for s in reply.authority if keep(s)]
        return reply
    return how


def at(name, rrtype, how):
    def changed(question, reply):
        same = str(question.name) == name and question.rdtype == dns.rdatatype.from_text(rrtype)
        if same:
            reply.answer = how(reply.answer)
        return reply
    return changed


def unsigned(sets):
    return [s for s in sets if s.rdtype != dns.rdatatype.RRSIG]


def late(sets):
    for s in sets:
        if s.rdtype == dns.rdatatype.RRSIG:
            old = [rd.replace(inception=1500000000, expiration=1500000100) for rd in s]
            s.clear()
            for rd in old:
                s.add(rd)
    return sets


LIES = {
    "denial without proof": (strip("NSEC", "NSEC3"), [("nx.good",), ("www.good", "AAAA"), ("a.wild.good",),
                                                      ("www.unsigned",), ("nx.n3",)]),
    "keys unsigned": (at("good.", "DNSKEY", unsigned), [("www.good",), ("nx.good",)]),
    "keys gone": (at("good.", "DNSKEY", lambda _: []), [("www.good",), ("nx.good",)]),
    "ds unsigned": (at("good.", "DS", unsigned), [("www.good",)]),
    "ds gone": (at("good.", "DS", lambda _: []), [("www.good",)]),
    "late": (at("www.good.", "A", late), [("www.good",)]),
    "honest": (lambda _q, r: r, [("www.good",), ("nx.good",)]),
}


@needs_delv
@pytest.mark.parametrize("lie", LIES)
def test_as_delv_about_lies(tree, ours, lie):
    how, asked = LIES[lie]
    for words in asked:
        with Between(tree, how) as host:
            theirs, mine = both(tree, ours, *words, port=host.port)
        assert mine == theirs, words
        assert (mine[1] == "" or "negative response" in mine[1]) == (lie != "honest" or words[0] == "nx.good")


@needs_delv
@pytest.mark.parametrize("rcode", [2, 5])
def test_as_delv_about_refusals(tree, ours, rcode):
    def refuse(_question, reply):
        reply.answer, reply.authority = [], []
        reply.set_rcode(rcode)
        return reply
    with Between(tree, refuse) as host:
        theirs, mine = both(tree, ours, "www.good", port=host.port)
    assert mine == theirs


@needs_delv
def test_as_delv_about_flags(tree, ours):
    done = subprocess.run([ours, "-v"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0 and done.stderr.startswith("delv 9.")
    for words in (("--foo",), ("+foo",), ("+yaml",), ("-h",)):
        done = subprocess.run([ours, *words], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 1
        assert "Usage:  delv [@server] {q-opt} {d-opt} [domain] [q-type] [q-class]" in done.stderr
    for words in (("-t", "MX", "mx.good"), ("-q", "www.good", "-t", "A"), ("www.good", "A", "CH"), ("-4", "www.good"),
                  ("-x", "192.0.2.1"), ("-x", "2001:db8::1"), ("+root=.", "www.good"), ("-tTXT", "txt.good")):
        theirs, mine = both(tree, ours, *words)
        assert mine == theirs, words
    for words in (("-a", "/nonexist", "www.good"), ("+root=good", "www.good")):
        theirs, mine = both(tree, ours, *words)
        assert mine == theirs, words
    done = subprocess.run([ours, "@127.0.0.1", "-p", str(tree.port), "-a", tree.anchor, "www.good", "+rtrace"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert ";; fetch: www.good/A\n" in done.stderr and ";; fetch: ./DNSKEY\n" in done.stderr


def test_delv_asks_without_cd_unless_told(tree, ours):
    for words, cd in (((), 0), (("+cd",), dns.flags.CD)):
        with Between(tree, lambda _q, r: r) as host:
            subprocess.run([ours, "@127.0.0.1", "-p", str(host.port), "-a", tree.anchor, "www.good", *words],
                           capture_output=True, timeout=20, check=False)
        assert host.flags and all(f & dns.flags.CD == cd for f in host.flags)
