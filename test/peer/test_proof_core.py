"""The machines of validation against zones that BIND and ldns signed and that knotd, nsd and named serve."""
import os
import re
import shutil
import subprocess
import time

import dns.rdatatype
import pytest

import signedtree
from signedtree import SECURE, TYPES, Prover, Tree, Zones
from twist import covers, forged, is_type, resigned, without

pytestmark = [
    pytest.mark.skipif(bool(signedtree.tools_missing()), reason=f"absent: {signedtree.tools_missing()}"),
    pytest.mark.skipif(signedtree.program() is None, reason="no prove: make debug builds it"),
]
NXDOMAIN = 3


@pytest.fixture(scope="session")
def zones(tmp_path_factory):
    """One set for all servers: signing takes longest."""
    return Zones(tmp_path_factory.mktemp("zones"))


@pytest.fixture(scope="module", params=["knotd", "nsd", "named"])
def tree(request, zones, tmp_path_factory):
    if not shutil.which(request.param):
        pytest.skip(f"not installed: {request.param}")
    made = Tree(zones, tmp_path_factory.mktemp(request.param), request.param)
    yield made
    made.end()


@pytest.fixture
def prover(tree):
    made = Prover(signedtree.program(), tree.root_ds)
    yield made
    assert made.end() == 0


def is_secure(zone, v, opt_out=False):
    """Costly NSEC3 proves nothing; an opt-out span may hide a delegation."""
    if zone == "n3costly" or (opt_out and zone == "n3optout"):
        assert v.security == "INSECURE", v
    else:
        assert v.security == "SECURE", v


@pytest.mark.parametrize("zone", SECURE)
def test_answers(tree, prover, zone):
    for name, rrtype in (("www", "A"), ("WwW", "A"), ("alias", "A"), ("alias2", "A"), ("many", "TXT"),
                         ("signed", "DS")):
        v = prover.prove(f"{name}.{zone}.", rrtype, tree.ask)
        assert v.security == "SECURE" and v.rcode == 0 and v.verifies <= 32, (name, v)
    for rrtype in ("SOA", "NS", "DNSKEY"):
        v = prover.prove(f"{zone}.", rrtype, tree.ask)
        assert v.security == "SECURE", v
    v = prover.prove(f"www.signed.{zone}.", "A", tree.ask)
    assert v.security == "SECURE" and v.verifies <= 32, v


@pytest.mark.parametrize("rrtype", sorted(set(TYPES) - {"NS"}))
def test_canonical_form_of_each_type(tree, prover, rrtype):
    v = prover.prove("types.p256.", f"TYPE{int(dns.rdatatype.from_text(rrtype))}", tree.ask)
    assert v.security == "SECURE" and v.records == 2, v


@pytest.mark.parametrize("zone", SECURE)
def test_denials(tree, prover, zone):
    nx = prover.prove(f"nx.{zone}.", "A", tree.ask)
    is_secure(zone, nx, opt_out=True)
    assert nx.rcode == NXDOMAIN
    deep = prover.prove(f"a.b.c.nx.{zone}.", "A", tree.ask)
    is_secure(zone, deep, opt_out=True)
    is_secure(zone, prover.prove(f"www.{zone}.", "AAAA", tree.ask))
    is_secure(zone, prover.prove(f"ent.{zone}.", "A", tree.ask))
    is_secure(zone, prover.prove(f"under.ent.{zone}.", "A", tree.ask))
    is_secure(zone, prover.prove(f"www.{zone}.", "DS", tree.ask))
    is_secure(zone, prover.prove(f"nx.www.{zone}.", "A", tree.ask), opt_out=True)
    assert nx.ttl <= 60 or nx.security != "SECURE"


@pytest.mark.parametrize("zone", SECURE)
def test_wildcards(tree, prover, zone):
    for name in ("any.wild", "a.b.any.wild"):
        is_secure(zone, prover.prove(f"{name}.{zone}.", "A", tree.ask), opt_out=True)
        is_secure(zone, prover.prove(f"{name}.{zone}.", "AAAA", tree.ask), opt_out=True)
    is_secure(zone, prover.prove(f"walias.wild.{zone}.", "MX", tree.ask), opt_out=True)
    assert prover.prove(f"*.wild.{zone}.", "A", tree.ask).security == "SECURE"
    assert prover.prove(f"there.wild.{zone}.", "A", tree.ask).security == "SECURE"
    is_secure(zone, prover.prove(f"x.there.wild.{zone}.", "A", tree.ask), opt_out=True)
    is_secure(zone, prover.prove(f"any.dname.{zone}.", "A", tree.ask), opt_out=True)
    assert prover.prove(f"there.dname.{zone}.", "A", tree.ask).security == "SECURE"


@pytest.mark.parametrize("zone", SECURE)
def test_unsigned_below(tree, prover, zone):
    v = prover.prove(f"www.unsigned.{zone}.", "A", tree.ask)
    assert v.security == "INSECURE", v
    assert prover.prove(f"nx.unsigned.{zone}.", "A", tree.ask).security == "INSECURE"
    assert prover.prove(f"out.{zone}.", "A", tree.ask).security in ("INSECURE", "SECURE")
    v = prover.prove("www.unsigned.", "A", tree.ask)
    assert v.security == "INSECURE", v


@pytest.mark.parametrize("zone", ["rsa5", "rsa7"])
def test_sha1_is_insecure_with_its_reason(tree, prover, zone):
    v = prover.prove(f"www.{zone}.", "A", tree.ask)
    assert v.security == "INSECURE" and v.ede == 1, v
    legacy = Prover(signedtree.program(), tree.root_ds, words=("LEGACY",))
    for name, rrtype in (("www", "A"), ("nx", "A"), ("any.wild", "A"), ("www", "AAAA")):
        v = legacy.prove(f"{name}.{zone}.", rrtype, tree.ask)
        assert v.security == "SECURE", (name, v)
    assert legacy.end() == 0


# --- lies, each beside what it twists ---

def twisted(tree, about, how):
    """The tree, but for replies about one name and type."""
    def answer(name, rrtype):
        reply = tree.ask(name, rrtype)
        return how(reply) if (name.lower(), rrtype) == about else reply
    return answer


@pytest.mark.parametrize("zone", ["p256", "rsa8", "ed25519", "n3", "ldns3"])
def test_lies_about_an_answer(tree, prover, zone):
    about = (f"www.{zone}.", "A")

    def judge(how):
        return prover.prove(*about, twisted(tree, about, how))

    assert judge(lambda m: m).security == "SECURE"
    v = judge(forged)
    assert v.security == "BOGUS" and v.why == "signature crypto failed" and v.ede == 6, v
    v = judge(lambda m: without(m, covers("A")))
    assert v.security == "BOGUS" and v.ede == 10, v
    v = judge(resigned(algorithm=99))
    assert v.security == "BOGUS" and v.ede == 9, v
    v = judge(resigned(labels=1))
    assert v.security == "BOGUS" and v.ede == 6, v
    v = judge(resigned(labels=0))
    assert v.security == "BOGUS" and v.why == "signature labelcount lower than signature signer", v
    v = judge(resigned(expiration=1500000000, inception=1400000000))
    assert v.security == "BOGUS" and v.ede == 7, v
    v = judge(resigned(expiration=2100000000, inception=2000000000))
    assert v.security == "BOGUS" and v.ede == 8, v


@pytest.mark.parametrize("zone", ["p256", "n3", "n3salt", "ldns", "ldns3"])
def test_lies_about_a_denial(tree, prover, zone):
    for name, rrtype in (("nx", "A"), ("www", "AAAA"), ("any.wild", "AAAA")):
        about = (f"{name}.{zone}.", rrtype)
        full = tree.ask(*about)
        proofs = [s.name for s in full.authority if s.rdtype in (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)]
        assert prover.prove(*about, tree.ask).security == "SECURE"
        v = prover.prove(*about, twisted(tree, about, lambda m: without(m, is_type("NSEC", "NSEC3"))))
        assert v.security == "BOGUS", v
        v = prover.prove(*about, twisted(tree, about, lambda m: without(m, covers("NSEC", "NSEC3"))))
        assert v.security == "BOGUS" and v.ede == 12, v
        for left_out in set(proofs):
            v = prover.prove(*about, twisted(tree, about, lambda m: without(m, lambda s: s.name == left_out)))
            # the apex may hold a proof and the SOA, which is missed as well
            assert v.security == "BOGUS", (name, left_out, v)


@pytest.mark.parametrize("zone", ["p256", "n3", "n3salt", "ldns3"])
def test_lies_by_replay(tree, prover, zone):
    # a denial of another name
    about = (f"www.{zone}.", "A")

    def other(_name, _rrtype, of=(f"nx.{zone}.", "A")):
        m = tree.ask(*of)
        m.question = tree.ask(*about).question
        return m

    v = prover.prove(*about, lambda n, t: other(n, t) if (n, t) == about else tree.ask(n, t))
    assert v.security == "BOGUS", v
    # a wildcard's records for a name that exists
    about = (f"there.wild.{zone}.", "A")

    def wild(message):
        made = tree.ask(f"any.wild.{zone}.", "A")
        for s in made.answer:
            s.name = message.question[0].name
        message.answer, message.authority = made.answer, made.authority
        return message

    v = prover.prove(*about, twisted(tree, about, wild))
    assert v.security == "BOGUS" and v.why == "wildcard proof failed", v
    # a signed child said to be unsigned: with the proof for the unsigned one, and with none
    about = (f"signed.{zone}.", "DS")
    for how in (lambda m: without(m, is_type("DS", "RRSIG")), lambda _m: tree.ask(f"unsigned.{zone}.", "DS")):
        v = prover.prove(f"www.signed.{zone}.", "A", twisted(tree, about, how))
        assert v.security == "BOGUS", v


def test_keys_that_are_not_vouched_for(tree, prover):
    about = ("p256.", "DNSKEY")
    v = prover.prove("www.p256.", "A", twisted(tree, about, lambda m: without(m, covers("DNSKEY"))))
    assert v.security == "BOGUS" and v.ede == 10, v
    v = prover.prove("www.p256.", "A", lambda n, t: None if (n, t) == about else tree.ask(n, t))
    assert v.security == "BOGUS" and v.ede == 9, v

    def others(message):
        made = tree.ask("p384.", "DNSKEY")
        for s in made.answer:
            s.name = message.question[0].name
        message.answer = made.answer
        return message

    v = prover.prove("www.p256.", "A", twisted(tree, about, others))
    assert v.security == "BOGUS" and v.ede == 9, v
    assert v.why == "no keys have a DS with algorithm ECDSAP256SHA256", v


def test_iterations_are_told(tree, prover):
    v = prover.prove("nx.n3costly.", "A", tree.ask)
    assert v.security == "INSECURE" and v.ede == 27 and v.blocks == 0, v


def test_a_clock_that_is_off(tree):
    for wall, ede in ((1000000000, 8), (2500000000, 7)):
        made = Prover(signedtree.program(), tree.root_ds, wall=wall)
        v = made.prove("www.p256.", "A", tree.ask)
        assert v.security == "BOGUS" and v.ede == ede, v
        assert made.end() == 0


def test_nothing_is_asked_twice(tree, prover):
    prover.prove("www.signed.p256.", "A", tree.ask)
    assert len(prover.asked) == len(set(prover.asked)) == 6, prover.asked


# --- the state of a trust anchor ---

def state_of_unbound(tree, folder, seconds=20):
    """What the packaged unbound writes after its first probe."""
    state = folder / "root.key"
    state.write_text(tree.root_ds)
    conf = folder / "unbound.conf"
    conf.write_text(f"""server:
  interface: 127.53.{tree.port >> 8}.{tree.port & 255}@5353
  chroot: ""
  username: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  do-not-query-localhost: no
  auto-trust-anchor-file: "{state}"
stub-zone:
  name: "."
  stub-addr: 127.0.0.1@{tree.port}
""")
    with open(folder / "unbound.log", "wb") as log:
        process = subprocess.Popen(["unbound", "-d", "-c", str(conf)], stdout=log, stderr=log,
                                   env=dict(os.environ, TZ="UTC"))
        try:
            end = time.monotonic() + seconds
            while b";;state=2" not in state.read_bytes():
                assert process.poll() is None and time.monotonic() < end, (folder / "unbound.log").read_text()
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait(10)
    return state.read_bytes()


@pytest.mark.skipif(not shutil.which("unbound"), reason="not installed: unbound")
def test_the_state_file_is_unbounds(tree, prover, tmp_path):
    theirs = state_of_unbound(tree, tmp_path)
    ours = prover.rewrite(theirs)
    assert isinstance(ours, bytes), ours
    assert ours == theirs, f"{theirs.decode()}{ours.decode()}"
    # and unbound takes what we write
    (tmp_path / "root.key").write_bytes(ours)
    done = subprocess.run(["unbound-checkconf", str(tmp_path / "unbound.conf")], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(rb";;state=2 \[  VALID  \]", ours)
