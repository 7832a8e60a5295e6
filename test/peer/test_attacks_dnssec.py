"""Attacks on the logic of validation, each beside an honest twin that must be proved: what is forged is never served,
and what stands beside it is not touched. What costs rather than lies is in test_attacks_cost.py. Keys to come
(RFC 5011) are judged by src/core/autotrust_test.c; here only what a state file may not be made to say."""
import time

import dns.flags
import dns.name
import dns.rdatatype
import pytest

pytest.importorskip("cryptography")
import twist  # noqa: E402
from ask import rcode, values  # noqa: E402
from evilauth import ANCHOR, Lab  # noqa: E402
from evilzone import (KSK, P256, REVOKED, ZSK, Key, Nsec3, ds, nsec, rrset,  # noqa: E402
                      signature)
from verdict import is_bogus, is_insecure, is_secure  # noqa: E402

pytestmark = pytest.mark.ours("is older than the cures of several of these")
T = dns.rdatatype
ADDR = "198.51.100.7"


@pytest.fixture(scope="module")
def lab(keys):
    with Lab(keys, "  serve-expired: no\n") as made:
        yield made


def small(lab, **how):
    """A zone with the names most tests need."""
    z = lab.zone(**how)
    for label in ("a", "www", "y"):
        z.add(z.name(label), "A", ADDR)
    z.add(z.name("*.wild"), "A", ADDR).add(z.name("there.wild"), "A", "198.51.100.8")
    z.add(z.name("*.walias"), "CNAME", z.name("www"))
    z.add(z.name("dn"), "DNAME", f"wild.{z.apex}")
    return z


def child(lab, parent, signed=True, **how):
    """A zone below another."""
    z = lab.tree.zone(f"child.{parent.apex}", **how) if signed else lab.tree.zone(f"child.{parent.apex}", denial=None)
    return z.add(z.name("www"), "A", ADDR)


# --- C1: stripped ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("what", ["answer", "dnskey signatures", "dnskey", "ds signatures", "denial", "everything"])
def test_c1_stripping(lab, what):
    honest, z = small(lab), small(lab)
    www = z.name("www")
    codes = (9, 10)
    if what == "answer":
        lab.twist(www, "A", twist.stripped())
    elif what == "dnskey signatures":
        lab.twist(z.apex, "DNSKEY", twist.stripped())
    elif what == "dnskey":
        lab.twist(z.apex, "DNSKEY", twist.replaced(answer=[]))
    elif what == "ds signatures":
        lab.twist(z.apex, "DS", twist.stripped())
    elif what == "denial":
        www, codes = z.name("nx"), (10, 12)
        lab.twist(www, "A", twist.replaced(authority=[]))
    else:
        lab.twist(z.apex, None, lambda m: twist.without(m, lambda s: s.rdtype in (T.RRSIG, T.DNSKEY, T.DS, T.NSEC)),
                  below=True)
        codes = (9, 10, 12)
    is_bogus(lab.ask(www), *codes)
    is_secure(lab.ask(honest.name("www")))
    is_secure(lab.ask(honest.name("nx")), "NXDOMAIN")


# --- C2: algorithms and digests that are not what they were ----------------------------------------------------

def test_c2_an_algorithm_changed_in_the_signature_alone(lab):
    z = small(lab)
    lab.twist(z.name("www"), "A", twist.resigned(algorithm=200))
    is_bogus(lab.ask(z.name("www")))
    is_secure(lab.ask(z.name("a")))


def test_c2_an_algorithm_changed_in_all_signatures_and_keys(lab):
    """The DS decides: it names an algorithm that is supported."""
    key = Key()
    z = small(lab, keys=[Key(number=200)])
    z.set_ds(key.ds(z.apex))
    is_bogus(lab.ask(z.name("www")), 9)


def test_c2_a_ds_of_an_unknown_algorithm_that_the_parent_never_signed(lab):
    z = small(lab)
    lab.twist(z.apex, "DS", lambda m: twist.replaced(
        answer=[rrset(z.apex, "DS", 300, ds(1, 200, 2, bytes(32))), *filter(twist.covers("DS"), m.answer)])(m))
    is_bogus(lab.ask(z.name("www")), 6)


def test_c2_unknown_for_real_is_insecure(lab):
    """The twin: the parent's signed word that nobody can check this zone."""
    z = small(lab, keys=[Key(number=200)])
    is_insecure(lab.ask(z.name("www")))


def test_c2_sha1_is_nothing_beside_sha256(lab):
    evil, good = Key(), Key()
    z = small(lab, keys=[evil])
    z.set_ds(evil.ds(z.apex, 1), good.ds(z.apex, 2))
    is_bogus(lab.ask(z.name("www")), 9)
    twin = small(lab, keys=[good])
    twin.set_ds(good.ds(twin.apex, 1), good.ds(twin.apex, 2))
    is_secure(lab.ask(twin.name("www")))


@pytest.mark.parametrize("digest", [bytes(1), bytes(31), bytes(33)])
def test_c2_a_digest_of_another_length_makes_nothing_insecure(lab, digest):
    z = small(lab)
    z.set_ds(ds(z.keys[0].tag, P256, 2, digest))
    is_bogus(lab.ask(z.name("www")))


def test_c2_one_supported_algorithm_of_two_is_enough_and_needed(lab):
    """A zone whose DS names a second, unknown algorithm is still judged by the one that is known (RFC6840 5.11)."""
    key = Key()
    z = small(lab, keys=[key])
    z.set_ds(key.ds(z.apex), ds(7, 200, 2, bytes(32)))
    is_secure(lab.ask(z.name("www")))
    lab.twist(z.name("a"), "A", twist.resigned(algorithm=200))
    is_bogus(lab.ask(z.name("a")))


# --- C3: labels ------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("labels", [0, 1, 2])
def test_c3_labels_below_the_signer(lab, labels):
    """A real signature over *.victim or *. by a key of a zone below it."""
    z = small(lab)
    deep = lab.tree.zone(f"b.a.{z.name('deep')}")
    deep.add(deep.name("x"), "A", ADDR).add(deep.name("ok"), "A", ADDR)
    deep.sigs(deep.name("x"), "A", labels=labels)
    is_bogus(lab.ask(deep.name("x")), 6, why="labelcount lower than signature signer")
    before = lab.evil.count(z.name("www"))
    assert values(is_secure(lab.ask(z.name("www")))) == [ADDR] and lab.evil.count(z.name("www")) == before + 1
    is_secure(lab.ask(z.name("neighbour")), "NXDOMAIN")
    is_secure(lab.ask(deep.name("ok")))


def test_c3_more_labels_than_the_owner_has(lab):
    z = small(lab)
    z.sigs(z.name("www"), "A", labels=5)
    is_bogus(lab.ask(z.name("www")), 6)


# --- C4: an NSEC that reaches out of its zone ------------------------------------------------------------------

def test_c4_next_name_out_of_the_zone(lab):
    evil, victim = small(lab), small(lab)
    made = evil.signed(nsec(evil.apex, "zzzz.", "A", "RRSIG", "NSEC"))
    lab.twist(evil.name("nx"), "A", lambda m: twist.replaced(authority=evil.soa() + made)(m))
    is_bogus(lab.ask(evil.name("nx")))
    is_secure(lab.ask(victim.name("www")))
    assert lab.evil.count(victim.name("www")) == 1
    is_secure(lab.ask(evil.name("honest")), "NXDOMAIN")


# --- C5: the records of another zone ---------------------------------------------------------------------------

def hashes_around(z, wanted: bytes):
    """The hashes just before and behind one."""
    n = int.from_bytes(wanted, "big")
    return (n - 1).to_bytes(20, "big"), (n + 1).to_bytes(20, "big")


def narrow(z, *names, match=()):
    """NSEC3 records of z made to cover these names and match those."""
    out = []
    for name in names:
        before, behind = hashes_around(z, z.denial.hash(dns.name.from_text(name)))
        out += z.signed(z.denial.record(z.apex, before, behind))
    for name, types in match:
        h = z.denial.hash(dns.name.from_text(name))
        out += z.signed(z.denial.record(z.apex, h, hashes_around(z, h)[1], *types))
    return out


def test_c5_nsec3_of_the_child_for_a_name_of_the_parent(lab):
    """The child denies, in its own chain, the hash of a name that the parent has."""
    z = small(lab, denial=Nsec3())
    evil = child(lab, z, denial=Nsec3())
    victim = z.name("www")
    proof = narrow(evil, victim, f"*.{z.apex}", match=[(str(z.apex), ("NS", "SOA", "RRSIG", "DNSKEY"))])
    lab.twist(victim, "A", lambda m: twist.replaced(answer=[], authority=z.soa() + proof, rcode=3)(m))
    is_bogus(lab.ask(victim))
    lab.twist(victim, "AAAA", lambda m: twist.replaced(answer=[], authority=evil.soa() + proof, rcode=3)(m))
    is_bogus(lab.ask(victim, "AAAA"))
    # the owner says the parent's zone, the child signs
    h = z.denial.hash(dns.name.from_text(victim))
    before, behind = hashes_around(z, h)
    made = z.denial.record(z.apex, before, behind)
    forged = [made, rrset(made.name, "RRSIG", 60, signature(made, evil.keys[0], evil.apex))]
    lab.twist(victim, "TXT", lambda m: twist.replaced(answer=[], authority=z.soa() + forged, rcode=3)(m))
    is_bogus(lab.ask(victim, "TXT"))
    is_secure(lab.ask(z.name("nx")), "NXDOMAIN")
    is_secure(lab.ask(evil.name("nx")), "NXDOMAIN")


def test_c5_nsec3_owned_by_a_name_deeper_in_the_zone(lab):
    """Signed by the zone itself, but not b32.zone: a record that lies below another name."""
    z = small(lab, denial=Nsec3())
    victim = z.name("www.sub")
    z.add(victim, "A", ADDR)
    h = z.denial.hash(dns.name.from_text(victim))
    rest = z.soa() + narrow(z, z.name("*.sub"), match=[(z.name("sub"), ("RRSIG",))])

    def lie(owner):
        made = z.signed(z.denial.record(owner, *hashes_around(z, h)))
        return lambda m: twist.replaced(answer=[], authority=rest + made, rcode=3)(m)
    lab.twist(victim, "A", lie(z.name("sub")))
    is_bogus(lab.ask(victim), 6, why="NSEC3 owner")
    lab.twist(victim, "AAAA", lie(z.apex))       # the twin: in its place the same record is the zone's own word
    is_secure(lab.ask(victim, "AAAA"), "NXDOMAIN")
    is_secure(lab.ask(z.name("a")))
    deep = z.name("q.sub")                       # and one that no name of the question is below
    lab.twist(deep, "A", lie(z.name("elsewhere")))
    is_bogus(lab.ask(deep))


# --- C6: chains mixed in one proof -----------------------------------------------------------------------------

@pytest.mark.parametrize("other", [Nsec3(b"\xaa"), Nsec3(b"", 5)], ids=["salt", "iterations"])
def test_c6_two_parameter_sets_in_one_proof(lab, other):
    z = small(lab, denial=Nsec3())
    nx = dns.name.from_text(z.name("nx"))
    star = dns.name.from_text(f"*.{z.apex}")

    def record(denial, name, match=False):
        h = denial.hash(name)
        before, behind = hashes_around(z, h)
        return z.signed(denial.record(z.apex, h if match else before, behind, *(["SOA", "NS"] if match else [])))

    mixed = record(z.denial, z.apex, True) + record(z.denial, nx) + record(other, star)
    lab.twist(nx, "A", lambda m: twist.replaced(authority=z.soa() + mixed)(m))
    is_bogus(lab.ask(nx), 6, why="mismatch")
    assert lab.server.alive()
    whole = record(other, z.apex, True) + record(other, nx) + record(other, star)     # the twin: all of one kind
    lab.twist(nx, "AAAA", lambda m: twist.replaced(authority=z.soa() + whole)(m))
    is_secure(lab.ask(nx, "AAAA"), "NXDOMAIN")


@pytest.mark.parametrize("denial", [Nsec3(algorithm=7), Nsec3(flags=0x40)], ids=["hash", "flag"])
def test_c6_what_is_unknown_proves_nothing(lab, denial):
    z = small(lab, denial=denial)
    m = lab.ask(z.name("nx"))
    assert not m.flags & dns.flags.AD, m
    is_secure(lab.ask(z.name("www")))


# --- C7: wildcards ---------------------------------------------------------------------------------------------

def expanded(z, owner, of, rrtype="A"):
    """What a wildcard makes of owner, without the proof that owner is not there."""
    _, answer, _, _ = z.look(dns.name.from_text(of), T.from_text(rrtype))
    return [z.renamed(s, dns.name.from_text(owner)) for s in answer]


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_c7_a_wildcards_records_for_a_name_that_exists(lab, denial):
    z = small(lab, denial=Nsec3() if denial == "nsec3" else denial)
    there, absent = z.name("there.wild"), z.name("any.wild")
    made = expanded(z, there, absent)
    lab.twist(there, "A", lambda m: twist.replaced(answer=made)(m))
    is_bogus(lab.ask(there), 6, 12)
    # and with the proof for another name beside it
    proof = z.proof(dns.name.from_text(absent), wildcard=False)
    there2 = z.name("THERE.wild")
    lab.twist(there2, "AAAA", lambda m: twist.replaced(answer=made, authority=proof)(m))
    is_bogus(lab.ask(there2, "AAAA"))
    assert values(is_secure(lab.ask(absent))) == [ADDR]


def test_c7_a_wildcard_alias_needs_its_proof_too(lab):
    z = small(lab)
    name = z.name("x.walias")
    lab.twist(name, "A", lambda m: twist.replaced(authority=[])(m))
    is_bogus(lab.ask(name), 6, 12)
    is_secure(lab.ask(z.name("y.walias")))


@pytest.mark.parametrize("rrtype", ["NSEC", "DNAME"])
def test_c7_what_no_wildcard_can_make(lab, rrtype):
    z = small(lab)
    if rrtype == "DNAME":
        z.add(z.name("*.dstar"), "DNAME", "elsewhere.")
        owner = z.name("x.dstar")
        made = expanded(z, owner, z.name("q.dstar"), "DNAME")
        proof = z.proof(dns.name.from_text(owner), wildcard=False)
        lab.twist(f"w.{owner}", "A", lambda m: twist.replaced(
            answer=made + [rrset(f"w.{owner}", "CNAME", 300, "w.elsewhere.")], authority=proof, rcode=0)(m))
        is_bogus(lab.ask(f"w.{owner}"))
        is_secure(lab.ask(z.name("any.dn")))
        return
    star = z.signed(nsec(z.name("*.wild"), z.name("y"), "A", "RRSIG", "NSEC"))
    moved = [z.renamed(s, dns.name.from_text(z.name("any.wild"))) for s in star]
    lab.twist(z.name("any.wild"), "TXT", lambda m: twist.replaced(authority=z.soa() + moved)(m))
    is_bogus(lab.ask(z.name("any.wild"), "TXT"))
    is_secure(lab.ask(z.name("other.wild"), "TXT"))


def test_c7_a_wildcard_is_not_swapped_in_for_stale_data(keys):
    """What has expired is refreshed by a lie: neither the lie nor anything proved by it is served."""
    with Lab(keys, "  serve-expired: yes\n  serve-expired-client-timeout: 0\n") as lab:
        z = small(lab)
        there = z.name("there.wild")
        z.nodes[dns.name.from_text(there)][T.A].ttl = 1
        assert values(is_secure(lab.ask(there))) == ["198.51.100.8"]
        made = expanded(z, there, z.name("any.wild"))
        lab.twist(there, "A", lambda m: twist.replaced(answer=made)(m))
        time.sleep(1.2)
        for _ in range(3):
            m = lab.ask(there)
            assert values(m) in ([], ["198.51.100.8"]), m
            time.sleep(0.05)
        assert lab.evil.count(there) >= 2


# --- C8: forged proofs that a signed zone is not signed --------------------------------------------------------

def denials_of_a_child(lab, z, c):
    """Ten ways to say that c has no DS, none of which is true: {what: authority section}."""
    parent, grand = z, lab.tree.zone_of(z.apex.parent())
    cut, n3 = c.apex, Nsec3()
    apex_nsec = c.signed(nsec(cut, c.name("www"), "NS", "SOA", "RRSIG", "NSEC", "DNSKEY"))

    def at(*types, owner=cut, following=z.name("y"), by=parent):
        return by.soa() + by.signed(nsec(owner, following, *types))

    def by_other(made, key, zone):
        return [made, rrset(made.name, "RRSIG", 60, signature(made, key, zone))]

    unsigned = nsec(cut, z.name("y"), "NS", "RRSIG", "NSEC")
    n3_owner = n3.hash(cut)
    opt_out = Nsec3(opt_out=True).record(z.apex, *hashes_around(z, n3_owner))
    star = parent.signed(nsec(f"*.{z.apex}", z.name("y"), "NS", "RRSIG", "NSEC"))
    return {
        "nothing": [],
        "soa alone": parent.soa(),
        "not signed": parent.soa() + [unsigned],
        "the parent's signature over something else": parent.soa() + by_other(unsigned, Key(), z.apex),
        "signed by the child": parent.soa() + by_other(unsigned, c.keys[0], c.apex),
        "the child's apex": c.soa() + apex_nsec,
        "the child's apex, soa of the parent": parent.soa() + apex_nsec,
        "a bitmap with DS": at("NS", "DS", "RRSIG", "NSEC"),
        "a grandparent across the cut": grand.soa() + grand.signed(nsec(cut, "zzzz.", "NS", "RRSIG", "NSEC")),
        "opt-out that nobody signed": parent.soa() + [opt_out],
        "opt-out alone, no encloser": parent.soa() + parent.signed(opt_out),
        "a wildcard moved to the cut": parent.soa() + [z.renamed(s, cut) for s in star],
        "a record for another name": at("NS", "RRSIG", "NSEC", owner=z.name("a")),
    }


WAYS = ("nothing", "soa alone", "not signed", "the parent's signature over something else", "signed by the child",
        "the child's apex", "the child's apex, soa of the parent", "a bitmap with DS", "a grandparent across the cut",
        "opt-out that nobody signed", "opt-out alone, no encloser", "a wildcard moved to the cut",
        "a record for another name")


@pytest.mark.parametrize("way", WAYS)
def test_c8_a_signed_child_is_never_denied(lab, way):
    z = small(lab)
    c = child(lab, z)
    made = denials_of_a_child(lab, z, c)
    assert set(made) == set(WAYS)
    lab.twist(c.apex, "DS", lambda m: twist.replaced(answer=[], authority=made[way])(m))
    # the child is then shown without a signature, which is what such a lie is for
    lab.twist(c.apex, None, twist.stripped(), below=True)
    lab.twist(c.apex, "DS", lambda m: twist.replaced(answer=[], authority=made[way])(m))
    is_bogus(lab.ask(c.name("www")))


@pytest.mark.parametrize("denial", ["nsec", "nsec3", "opt-out"])
def test_c8_the_twin_an_unsigned_child(lab, denial):
    z = small(lab, denial={"nsec": "nsec", "nsec3": Nsec3(), "opt-out": Nsec3(opt_out=True)}[denial])
    is_insecure(lab.ask(child(lab, z, signed=False).name("www")))
    is_secure(lab.ask(z.name("www")))


# --- C9: an alias where a DS is asked for ----------------------------------------------------------------------

@pytest.mark.parametrize("how", ["cname", "dname", "cname to itself"])
def test_c9_ds_answered_by_an_alias(lab, how):
    z = small(lab)
    c = child(lab, z)
    alias = {"cname": rrset(c.apex, "CNAME", 300, f"www.{z.apex}"),
             "dname": rrset(z.apex, "DNAME", 300, "elsewhere."),
             "cname to itself": rrset(c.apex, "CNAME", 300, str(c.apex))}[how]
    lab.twist(c.apex, "DS", lambda m: twist.replaced(answer=[alias], authority=[])(m))
    before, asked = time.monotonic(), lab.evil.below(".")
    m = lab.ask(c.name("www"))
    is_bogus(m)
    assert lab.evil.below(".") - asked <= 20
    assert time.monotonic() - before < 4
    twin = child(lab, small(lab))
    is_secure(lab.ask(twin.name("www")))


# --- C10: keys that may not sign -------------------------------------------------------------------------------

@pytest.mark.parametrize("what,codes", [("revoked", (6, 9)), ("no zone key", (11, 6, 9)), ("protocol", (6, 9))])
def test_c10_keys_that_sign_nothing(lab, what, codes):
    ksk = Key()
    zsk = {"revoked": Key(flags=ZSK | REVOKED), "no zone key": Key(flags=0),
           "protocol": Key(flags=ZSK, protocol=2)}[what]
    z = small(lab, keys=[ksk, zsk])
    z.sigs(z.name("www"), "A", lambda of, zone: [signature(of, ksk, zone.apex)])     # the twin in the same zone
    is_bogus(lab.ask(z.name("a")), *codes)
    is_secure(lab.ask(z.name("www")))
    honest = small(lab, keys=[Key(), Key(flags=ZSK)])
    is_secure(lab.ask(honest.name("a")))


def test_c10_a_revoked_key_vouches_for_no_keys(lab):
    key = Key(flags=KSK | REVOKED)
    z = small(lab, keys=[key])
    is_bogus(lab.ask(z.name("www")), 9)


# --- C11: signers who have no say ------------------------------------------------------------------------------

def test_c11_signed_by_the_child_for_the_parent(lab):
    z = small(lab)
    c = child(lab, z)
    evil = Key()
    made = rrset(c.apex, "DS", 300, evil.ds(c.apex))
    own = rrset(c.apex, "RRSIG", 300, signature(made, c.keys[0], c.apex))
    lab.twist(c.apex, "DS", lambda m: twist.replaced(answer=[made, own], authority=[])(m))
    is_bogus(lab.ask(c.name("www")))
    is_secure(lab.ask(z.name("www")))
    known = child(lab, small(lab))            # a child whose keys are known: they vouch for no DS of its own
    is_secure(lab.ask(known.name("www")))
    made = rrset(known.apex, "DS", 300, evil.ds(known.apex))
    own = rrset(known.apex, "RRSIG", 300, signature(made, known.keys[0], known.apex))
    lab.twist(known.apex, "DS", lambda m: twist.replaced(answer=[made, own], authority=[])(m))
    is_bogus(lab.ask(known.apex, "DS"))
    is_secure(lab.ask(child(lab, small(lab)).apex, "DS"))


@pytest.mark.parametrize("who", ["a sibling", "a child", "nobody's zone"])
def test_c11_signed_by_no_ancestor(lab, who):
    z, sibling = small(lab), small(lab)
    c = child(lab, z)
    by, zone = {"a sibling": (sibling.keys[0], sibling.apex), "a child": (c.keys[0], c.apex),
                "nobody's zone": (Key(), "nobody.")}[who]
    z.sigs(z.name("www"), "A", lambda of, _: [signature(of, by, zone)])
    is_bogus(lab.ask(z.name("www")))
    for honest in (z.name("a"), sibling.name("www"), c.name("www")):
        is_secure(lab.ask(honest))


# --- C12: time -------------------------------------------------------------------------------------------------

def test_c12_no_longer_than_the_signature(lab):
    z = small(lab)
    now = int(time.time())
    z.add(z.name("soon"), "A", ADDR, ttl=3600).sigs(z.name("soon"), "A", expiration=now + 100)
    z.add(z.name("orig"), "A", ADDR, ttl=3600)
    z.sigs(z.name("orig"), "A", lambda of, zone: [signature(of, zone.keys[0], zone.apex, ttl=50)])
    z.add(z.name("long"), "A", ADDR, ttl=3600)
    assert is_secure(lab.ask(z.name("soon"))).answer[0].ttl <= 100
    assert is_secure(lab.ask(z.name("orig"))).answer[0].ttl <= 50
    assert is_secure(lab.ask(z.name("long"))).answer[0].ttl > 3000


def test_c12_gone_when_the_signature_is(lab):
    """One second is left, whatever the TTL says: it is fetched anew, and fails when that comes too late."""
    z = small(lab)
    www = z.name("www")
    now = int(time.time())
    z.sigs(www, "A", expiration=now + 2, inception=now - 100)
    is_secure(lab.ask(www))
    time.sleep(max(0, now + 3.2 - time.time()))
    z.sigs(www, "A", expiration=now - 8000, inception=now - 9000)
    is_bogus(lab.ask(www), 7)
    assert lab.evil.count(www) == 2


# --- C13: a state file that says more than it may --------------------------------------------------------------

def state_line(key, state, comment=""):
    words = {1: "[ ADDPEND ]", 2: "[  VALID  ]", 3: "[ MISSING ]", 4: "[ REVOKED ]"}[state]
    now = int(time.time())
    return (f".\t3600\tIN\tDNSKEY\t{key.rdata.to_text()} ;{{id = {key.tag} (ksk), size = 256b}} {comment}"
            f";;state={state} {words} ;;count=1 ;;lastchange={now} ;;{time.asctime(time.gmtime(now))}\n")


@pytest.mark.parametrize("state,comment,trusted", [
    (2, "", True), (1, "", False), (4, "", False), (1, "x" * 65536 + " ", False), (2, "x" * 300 + " ", True)],
    ids=["valid", "pending", "revoked", "pending behind 64 kB", "valid behind 300 bytes"])
def test_c13_a_key_is_trusted_when_its_time_has_come(keys, state, comment, trusted):
    with Lab(keys, start=False, anchors=f"  auto-trust-anchor-file: {ANCHOR}\n") as lab:
        z = small(lab)
        now = int(time.time())
        head = (f"; autotrust trust anchor file\n;;id: . 1\n;;last_queried: {now} ;;{time.ctime(now)}\n"
                f";;last_success: {now} ;;{time.ctime(now)}\n;;next_probe_time: {now + 86400} ;;{time.ctime(now)}\n"
                ";;query_failed: 0\n;;query_interval: 86400\n;;retry_time: 8640\n")
        lab.world.write(ANCHOR, head + state_line(Key(), 2) + state_line(lab.tree.root.keys[0], state, comment))
        lab.start()
        m = lab.ask(z.name("www"))
        if trusted:
            is_secure(m)
        else:
            assert not m.flags & dns.flags.AD, m
            is_bogus(m)


# --- C14: an upstream that says it has proved ------------------------------------------------------------------

def test_c14_ad_of_the_upstream_is_nothing(lab):
    z = small(lab, denial=None)
    w = small(lab)

    def proved(message):
        message.flags |= dns.flags.AD
        return message

    lab.twist(z.apex, None, proved, below=True)
    for _ in range(2):       # from upstream, from the cache
        for how in ({}, {"flags": dns.flags.RD | dns.flags.AD}):
            is_insecure(lab.ask(z.name("www"), **how))
    lab.twist(w.name("www"), "A", lambda m: proved(twist.stripped()(m)))
    is_bogus(lab.ask(w.name("www")), 10)
    is_secure(lab.ask(w.name("a")))


# --- C15: what is rewritten was judged before ------------------------------------------------------------------

def test_c15_bogus_stays_bogus_under_a_rewriting_rule(keys):
    with Lab(keys, "  private-address: 198.51.100.0/24\n  private-address: 6.0.0.0/8\n") as lab:
        z = small(lab)
        lab.twist(z.name("www"), "A", twist.forged)
        is_bogus(lab.ask(z.name("www")), 6)
        m = lab.ask(z.name("a"))             # the twin: proved, and then the rule takes it away
        assert rcode(m) != "SERVFAIL" and values(m) == [] and not m.flags & dns.flags.AD


# --- C16: bogus and stale --------------------------------------------------------------------------------------

def test_c16_bogus_is_never_served_stale(keys):
    with Lab(keys, "  serve-expired: yes\n  serve-expired-client-timeout: 0\n") as lab:
        z = small(lab)
        www, ok = z.name("www"), z.name("a")
        for name in (www, ok):
            z.nodes[dns.name.from_text(name)][T.A].ttl = 1
        lab.twist(www, "A", twist.forged)
        is_bogus(lab.ask(www), 6)
        is_secure(lab.ask(ok))
        time.sleep(1.2)
        lab.twist(ok, "A", lambda m: None)
        for _ in range(2):
            is_bogus(lab.ask(www))
            assert values(lab.ask(ok)) == [ADDR]       # the twin: what was proved may be served stale
            time.sleep(0.05)
