"""The small plugins of a Corefile, under the name coredns: what each answers, and what it writes. One row a case."""
import re
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

import ns
from ask import frames, send, stream
from ns import wait_for
from server import Server

FOLDER = "/etc/coredns"
UP = "forward . 1.1.1.1"
NSID, EDE = 3, 15


def corefile(*lines, zone=".:53"):
    return "\n".join([f"{zone} {{", *("    " + line for line in lines), "}", ""])


def lacks(world, text):
    """The plugins of the block that this build does not have."""
    listed = world.run(world.borrowed("coredns"), "-plugins", timeout=20).stdout
    return [p for p in ("forward", "cache", "dnssec")
            if re.search(rf"^\s*{p}\b", text, re.M) and f"dns.{p}\n" not in listed]


def start(world, text, **options):
    if lacks(world, text):
        pytest.skip(f"this build has no {' and no '.join(lacks(world, text))}")
    world.write(f"{FOLDER}/Corefile", text)
    return Server(world, folder=FOLDER, argv=[world.borrowed("coredns"), "-conf", f"{FOLDER}/Corefile"], **options)


def refused(world, text):
    """What a configuration that is none is told."""
    world.write(f"{FOLDER}/Corefile", text)
    done = world.run(world.borrowed("coredns"), "-conf", f"{FOLDER}/Corefile", timeout=20)
    assert done.returncode == 1, (text, done.stdout, done.stderr)
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def world(keys):
    with ns.World(keys) as made:
        made.start_hosts()
        yield made


class Asked:
    """A question and what came of it, in words that tables can hold."""

    def __init__(self, world, text, tcp=False, source=None, timeout=3.0):
        words = text.split()
        name, kind = words[0], words[1]
        rdclass = "CH" if "CH" in words else "IN"
        edns = "edns" in words or "do" in words or "nsid" in words
        options = [dns.edns.GenericOption(NSID, b"")] if "nsid" in words else []
        query = dns.message.make_query(name, kind, rdclass, use_edns=0 if edns else -1, want_dnssec="do" in words,
                                       options=options if edns else None, payload=4096)
        if "nord" in words:
            query.flags &= ~dns.flags.RD
        wire = query.to_wire()
        if tcp or "tcp" in words:
            sock = stream(world)
            sock.sendall(len(wire).to_bytes(2, "big") + wire)
            got = (frames(sock, 1) or [None])[0]
            sock.close()
        else:
            got = send(world, wire, source=source, timeout=timeout)
        self.size = len(got) if got else 0
        self.msg = dns.message.from_wire(got) if got else None

    def text(self):
        if self.msg is None:
            return "nothing"
        m = self.msg
        flags = [f for f in ("aa", "tc", "ra", "ad") if m.flags & dns.flags.from_text(f.upper())]
        out = [" ".join([dns.rcode.to_text(m.rcode()), *flags])]
        for sign, section in (("", m.answer), ("+", m.authority), ("++", m.additional)):
            for rrset in section:
                for rr in rrset:
                    kind = dns.rdatatype.to_text(rrset.rdtype)
                    out.append(f"{sign}{rrset.name} {rrset.ttl} {kind} {rr}")
        for option in m.options:
            if option.otype == EDE:
                out.append(f"EDE {int(option.code)}")
            if option.otype == NSID:
                data = option.nsid if hasattr(option, "nsid") else option.data
                out.append(f"NSID {data.decode()}")
        return "\n".join(out)


SOA_LOCAL = "604800 SOA localhost. root.localhost. 1 0 0 0 604800"
HOSTS = ("192.0.2.70 h1.test h1", "2001:db8::70 h1.test", "ttl 60")
SERIAL = r"\d+"

# id, lines of the block, what is asked, and a pattern for all of what comes
CASES = [
    ("P01 any", ["any", UP], {
        "x.test ANY": r'NOERROR ra\nx\.test\. 8482 HINFO "ANY obsoleted" "See RFC 8482"',
        "x.test A": r"NOERROR.*\nx\.test\. \d+ A .*"}),
    ("P02 chaos", ["chaos CoreDNS-9 ann", UP], {
        "version.bind TXT CH": r'NOERROR.*\nversion\.bind\. 0 TXT "CoreDNS-9"',
        "version.server TXT CH": r'NOERROR.*\nversion\.server\. 0 TXT "CoreDNS-9"',
        "authors.bind TXT CH": r'NOERROR.*\nauthors\.bind\. 0 TXT "ann"',
        "hostname.bind TXT CH": r'NOERROR.*\nhostname\.bind\. 0 TXT ".+"'}),
    ("P03 whoami", ["whoami"], {
        "x.test A": r"NOERROR aa ra\n\+\+x\.test\. 0 A 127\.0\.0\.1\n\+\+_udp\.x\.test\. 0 SRV 0 0 \d+ \.",
        "x.test A tcp": r"NOERROR aa ra\n\+\+x\.test\. 0 A 127\.0\.0\.1\n\+\+_tcp\.x\.test\. 0 SRV 0 0 \d+ \."}),
    ("H01 hosts", ["hosts {", *HOSTS, "fallthrough", "}", UP], {
        "h1.test A": r"NOERROR aa ra\nh1\.test\. 60 A 192\.0\.2\.70",
        "h1.test AAAA": r"NOERROR aa ra\nh1\.test\. 60 AAAA 2001:db8::70",
        "h1.test MX": r"NOERROR aa ra",
        "70.2.0.192.in-addr.arpa PTR": r"NOERROR aa ra\n70.* 60 PTR h1\.test\.\n70.* 60 PTR h1\.",
        "h2.test A": r"NOERROR.*\nh2\.test\. \d+ A 198\..*"}),
    ("H02 hosts without fallthrough", ["hosts {", *HOSTS, "}", UP], {
        "h2.test A": r"SERVFAIL.*",
        "71.2.0.192.in-addr.arpa A": r"SERVFAIL.*"}),
    ("H03 hosts no_reverse", ["hosts {", *HOSTS, "no_reverse", "}", "whoami"], {
        "70.2.0.192.in-addr.arpa PTR": r"NOERROR aa ra\n\+\+70.*\n\+\+_udp.*"}),
    ("L01 acl", ["acl {", "block type A net 127.0.0.2", "allow net 127.0.0.0/30", "block", "}", "whoami"], {
        "x.test A edns @127.0.0.2": r"REFUSED.*\nEDE 15",
        "x.test A @127.0.0.2": r"REFUSED",
        "x.test AAAA @127.0.0.2": r"NOERROR aa.*(\n.*)*",
        "x.test A @127.0.0.3": r"NOERROR aa.*(\n.*)*",
        "x.test A @127.0.0.9": r"REFUSED"}),
    ("P07 acl", ["acl a.test {", "filter type AAAA", "drop type MX", "}", "whoami"], {
        "x.a.test AAAA edns": r"NOERROR.*\nEDE 17",
        "x.a.test AAAA": r"NOERROR",
        "x.a.test MX": r"nothing",
        "x.b.test MX": r"NOERROR aa.*(\n.*)*"}),
    ("P21 local", ["local", UP], {
        "localhost A": r"NOERROR ra\nlocalhost\. 604800 A 127\.0\.0\.1",
        "localhost AAAA": r"NOERROR ra\nlocalhost\. 604800 AAAA ::1",
        "1.0.0.127.in-addr.arpa PTR": r"NOERROR ra\n1.* 604800 PTR localhost\.",
        "9.0.0.127.in-addr.arpa PTR": rf"NXDOMAIN ra\n\+127\.in-addr\.arpa\. {SOA_LOCAL}",
        "localhost.foo A": r"NOERROR ra\nlocalhost\.foo\. 604800 A 127\.0\.0\.1"}),
    ("P21 local without prefix", ["local {", "localhost_prefix off", "}", UP], {
        "localhost.foo A": r"NOERROR.*\nlocalhost\.foo\. \d+ A 198\..*"}),
    ("P23 header", ["header {", "response clear aa", "}", "hosts {", *HOSTS, "}"], {
        "h1.test A": r"NOERROR ra\nh1\.test\. 60 A 192\.0\.2\.70"}),
    ("P23 nsid", ["nsid edge one", "whoami"], {
        "x.test A nsid": r"NOERROR(.*\n)*NSID edge one",
        "x.test A edns": r"NOERROR((?!NSID)[\s\S])*"}),
    ("P23 metadata", ["metadata", "whoami"], {"x.test A": r"NOERROR aa(.*\n?)*"}),
    ("kubernetes before its first sync", ["kubernetes cluster.local in-addr.arpa {", "pods insecure",
                                          "fallthrough in-addr.arpa", "ttl 30", "}", UP], {
        "web.shop.svc.cluster.local A": r"SERVFAIL aa ra\n\+cluster\.local\. 30 SOA ns\.dns\.cluster\.local\. "
                                        rf"hostmaster\.cluster\.local\. {SERIAL} 7200 1800 86400 30",
        "cluster.local SOA": rf"NOERROR aa ra\ncluster\.local\. 30 SOA ns.* {SERIAL} 7200 1800 86400 30",
        "dns-version.cluster.local TXT": r'NOERROR aa ra\ndns-version\.cluster\.local\. 28800 TXT "1\.1\.0"',
        "x.test A": r"NOERROR.*\nx\.test\. \d+ A .*"}),
]


@pytest.mark.parametrize("name,lines,asked", CASES, ids=[c[0] for c in CASES])
def test_answers(world, name, lines, asked):
    server = start(world, corefile("errors", *lines))
    try:
        for question, want in asked.items():
            text, _, source = question.partition(" @")
            got = Asked(world, text, source=source or None, timeout=0.3 if want == "nothing" else 3.0).text()
            assert re.fullmatch(want, got), (question, want, got)
        assert server.alive()
    finally:
        assert server.stop() == 0


def test_blocked_clients_get_nothing_from_the_cache(world):
    server = start(world, corefile("acl {", "block net 127.0.0.2", "}", "cache 30", UP))
    try:
        assert Asked(world, "kept.test A", source="127.0.0.3").text().startswith("NOERROR")
        assert Asked(world, "kept.test A", source="127.0.0.2").text() == "REFUSED"
    finally:
        server.stop()


def test_bufsize_bounds_both_ways(world):
    world.rules({"name": "big.test", "type": "TXT", "big": 3000})
    without = start(world, corefile("cache", UP))
    try:
        sizes = [Asked(world, "big.test TXT edns").size]
    finally:
        without.stop()
    bounded = start(world, corefile("bufsize 700", "cache", UP))
    try:
        got = Asked(world, "big.test TXT edns")
        sizes.append(got.size)
        assert got.msg.flags & dns.flags.TC
        assert Asked(world, "big.test TXT edns tcp").size > 3000
    finally:
        bounded.stop()
        world.rules()
    assert sizes[1] <= 700


def test_loadbalance_shuffles_what_is_cached(world):
    world.rules({"name": "many.test", "type": "A", "a": ["192.0.2.1", "192.0.2.2", "198.51.100.3"]})
    firsts = {}
    try:
        for how in ("loadbalance", "loadbalance round_robin {\nprefer 198.51.100.0/24\n}"):
            server = start(world, corefile("cache 30", how, UP))
            try:
                seen = [str(Asked(world, "many.test A").msg.answer[0][0]) for _ in range(60)]
            finally:
                server.stop()
            firsts[how.split()[-1]] = set(seen)
    finally:
        world.rules()
    assert firsts["loadbalance"] == {"192.0.2.1", "192.0.2.2", "198.51.100.3"}
    assert firsts["}"] == {"198.51.100.3"}


def test_minimal_leaves_out_authority(world):
    world.write(f"{FOLDER}/zone", "$ORIGIN z.test.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
                                  "w A 192.0.2.2\n")
    texts = []
    for more in ([], ["minimal"]):
        server = start(world, corefile(*more, f"file {FOLDER}/zone z.test"))
        try:
            texts.append(Asked(world, "w.z.test A").text())
            assert "+z.test. " in Asked(world, "gone.z.test A").text()
        finally:
            server.stop()
    assert "\n+z.test. 60 NS ns.z.test." in texts[0]
    assert texts[1] == "NOERROR aa ra\nw.z.test. 60 A 192.0.2.2" or texts[1].endswith("w.z.test. 60 A 192.0.2.2")


# --- lines -----------------------------------------------------------------------------------------------------

LINE = (r'\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN %s udp \d+ false 512" %s qr,rd,ra \d+ [\d.]+s')


def test_log_as_it_stands(world):
    server = start(world, corefile("log", "hosts {", "192.0.2.7 local.test", "fallthrough", "}", UP))
    try:
        Asked(world, "Some.Test A")
        server.wait_log("^" + LINE % (r"some\.test\.", "NOERROR") + "$")
        Asked(world, "x.test A do")
        server.wait_log(r'"A IN x\.test\. udp \d+ true 4096" NOERROR')
        Asked(world, "local.test A")
        assert server.wait_log(r'"A IN local\.test\. .* NOERROR qr,aa,rd,ra \d+ 0\.0\d+s$'), "made at once, in no time"
    finally:
        server.stop()


def test_log_classes_and_formats(world):
    world.rules({"name": "gone.test", "rcode": 3}, {"name": "fails.test", "rcode": 2})
    server = start(world, corefile('log a.test b.test "scoped {name} {rcode} {/x/y} {nothing}"', "log . {",
                                   "class denial error", "}", UP))
    try:
        for name in ("fine.test", "gone.test", "fails.test", "x.a.test"):
            Asked(world, f"{name} A")
        server.wait_log(LINE % (r"fails\.test\.", "SERVFAIL"))
        server.wait_log(LINE % (r"gone\.test\.", "NXDOMAIN"))
        server.wait_log(r"^\[INFO\] scoped x\.a\.test\. NOERROR - -$")
        assert not server.lines(r"fine\.test")
    finally:
        server.stop()
        world.rules()


def test_errors_say_why(world):
    world.rules({"name": "silent.test", "silent": True})
    server = start(world, corefile("errors", UP))
    try:
        assert Asked(world, "silent.test A", timeout=8).text().startswith("SERVFAIL")
        server.wait_log(r"^\[ERROR\] plugin/errors: 2 silent\.test\. A: .+")
    finally:
        server.stop()
        world.rules()


def test_errors_are_consolidated(world):
    world.rules({"name": "silent.test", "silent": True})
    server = start(world, corefile("errors {", 'consolidate 1s ".*" warning', "}", UP))
    try:
        Asked(world, "silent.test A", timeout=8)
        server.wait_log(r"^\[WARNING\] plugin/errors: 1 errors like '\.\*' occurred in last 1s$", seconds=10)
        assert not server.lines(r"plugin/errors: 2 ")
    finally:
        server.stop()
        world.rules()


def test_what_was_counted_is_told_at_the_end(world):
    world.rules({"name": "silent.test", "silent": True})
    server = start(world, corefile("errors {", 'consolidate 1h ".*"', "}", UP))
    try:
        Asked(world, "silent.test A", timeout=8)
    finally:
        server.stop()
        world.rules()
    assert len(server.lines(r"^\[ERROR\] plugin/errors: 1 errors like '\.\*' occurred in last 1h$")) == 1


def test_kubernetes_says_that_it_is_not_in_step(world):
    server = start(world, corefile("kubernetes cluster.local {", "startup_timeout 200ms", "}"))
    try:
        server.wait_log(r"^\[WARNING\] plugin/kubernetes: starting server with unsynced Kubernetes API$")
    finally:
        server.stop()


# --- loop -----------------------------------------------------------------------------------------------------

LOOPS = (r'^\[FATAL\] plugin/loop: Loop \(127\.0\.0\.1:\d+ -> .*:53\) detected for zone "\.", see '
         r'https://coredns\.io/plugins/loop#troubleshooting\. Query: "HINFO \d+\.\d+\."$')


@pytest.mark.parametrize("more", [[], ["cache 30"], ["cache 30", "dnssec {\nvalidate\n}"]], ids=str)
def test_loop_ends_the_program(world, more):
    server = start(world, corefile("loop", "forward . 127.0.0.1", *more), ready=False)
    assert server.process.wait(30) == 1
    assert server.lines(LOOPS), server.stderr()


def test_no_loop_no_end_whatever_clients_ask(world):
    server = start(world, corefile("loop", UP))
    try:
        for i in range(50):
            Asked(world, f"{4547991504243258144 + i}.3688648895315093531 HINFO", timeout=0.5)
        time.sleep(0.2)
        assert server.alive() and not server.lines("FATAL")
    finally:
        assert server.stop() == 0


# --- ratelimit ----------------------------------------------------------------------------------------------------

def test_ratelimit_of_each_client(world):
    server = start(world, corefile("ratelimit 5 {", "exempt 127.0.0.7", "}", "whoami"))
    try:
        def answered(source):
            return sum(Asked(world, "x.test A", source=source, timeout=0.1).msg is not None for _ in range(20))
        assert 5 <= answered("127.0.0.2") <= 15     # a burst may last for a second or two
        assert answered("127.0.0.7") == 20
    finally:
        server.stop()


def test_hosts_file_is_watched(world):
    world.write(f"{FOLDER}/names", "192.0.2.1 w.test\n")
    server = start(world, corefile(f"hosts {FOLDER}/names {{", "reload 200ms", "}"))
    try:
        assert "A 192.0.2.1" in Asked(world, "w.test A").text()
        world.write(f"{FOLDER}/names", "192.0.2.222 w.test\n")
        wait_for(lambda: "A 192.0.2.222" in Asked(world, "w.test A").text(), 15, "the new name")
    finally:
        server.stop()
