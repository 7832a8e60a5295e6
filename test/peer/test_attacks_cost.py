"""Attacks on the effort of validation: whatever is asked, one question costs no more than its budget, others are served
meanwhile, and what is merely large is still answered. Counts are judged here; bench/attacks.py measures time."""
import os
import struct

import dns.edns
import dns.flags
import dns.name
import dns.rdatatype
import pytest

pytest.importorskip("cryptography")
import costly  # noqa: E402
import twist  # noqa: E402
from ask import frames, packet, rcode, send, stream, values  # noqa: E402
from evilauth import Lab  # noqa: E402
from evilzone import RSA8, ZSK, Key, Nsec3, colliding, ds, nsec, rrset, signature  # noqa: E402
from keys import wire  # noqa: E402
from server import memory_of  # noqa: E402
from verdict import is_bogus, is_insecure, is_secure  # noqa: E402

pytestmark = pytest.mark.ours("has no counters")
T = dns.rdatatype
ADDR = "198.51.100.7"
# What one question may cost: signatures and imports, SHA-1 blocks, packets.
VERIFIES, BLOCKS, PACKETS = 64, 2048, 64
PER_SET = 4          # verifications and imports for one set of records


@pytest.fixture(scope="module")
def lab(keys):
    with Lab(keys) as made:
        made.control = made.zone()
        for i in range(200):
            made.control.add(made.control.name(f"c{i}"), "A", ADDR)
        is_secure(made.ask(made.control.name("c0")))       # the root's keys are known from here on
        yield made


def within(cost, questions=1):
    assert cost.verifies <= VERIFIES * questions, cost.verifies
    assert cost.blocks <= BLOCKS * questions, cost.blocks
    assert cost.asked <= PACKETS * questions, cost.asked


@pytest.mark.parametrize("attack", costly.ATTACKS)
def test_no_attack_is_believed_or_costs_more_than_a_question_may(lab, attack):
    name, rrtype = costly.ATTACKS[attack](lab)
    control = f"c{1 + list(costly.ATTACKS).index(attack)}"
    with lab.cost() as first:
        m = lab.ask(name, rrtype)
        assert m is not None and not m.flags & dns.flags.AD, m
    within(first)
    with lab.cost() as again:        # what was kept of it makes the next one no dearer
        for _ in range(3):
            m = lab.ask(name, rrtype)
            assert m is not None and not m.flags & dns.flags.AD, m
    within(again, 3)
    is_secure(lab.ask(lab.control.name(control)))


# --- D1: one set of records ------------------------------------------------------------------------------------

@pytest.mark.parametrize("shown,sigs", [(50, 50), (50, 1), (1, 50)])
def test_d1_few_tries_for_one_set(lab, shown, sigs):
    name, rrtype = costly.keytrap(shown, sigs)(lab)
    with lab.cost() as cost:
        is_bogus(lab.ask(name, rrtype), 6)
    assert cost.verifies <= 1 + 2 + PER_SET, cost.verifies      # DS, DNSKEY with its import, the set


def test_d1_the_twin_two_keys_of_one_tag(lab):
    first, second = colliding(2)
    z = lab.zone(keys=[Key(), first, second])
    for label, key in (("one", first), ("two", second)):
        z.add(z.name(label), "A", ADDR)
        z.sigs(z.name(label), "A", lambda of, zone, key=key: [signature(of, key, zone.apex)])
        with lab.cost() as cost:
            is_secure(lab.ask(z.name(label)))
        within(cost)


def test_d1_the_twin_a_roll_of_algorithms(lab):
    """Two algorithms, two keys each, everything signed by all."""
    ring = [Key(), Key(flags=ZSK), Key(RSA8, bits=2048), Key(RSA8, flags=ZSK, bits=2048)]
    z = lab.zone(keys=ring)
    z.set_ds(ring[0].ds(z.apex), ring[2].ds(z.apex))
    z.sigs(None, None, lambda of, zone: [signature(of, k, zone.apex) for k in ring])
    with lab.cost() as cost:
        z.add(z.name("www"), "A", ADDR)
        is_secure(lab.ask(z.name("www")))
    assert cost.verifies <= VERIFIES // 2


# --- D2: hashes ------------------------------------------------------------------------------------------------

def test_d2_above_the_limit_no_hash_is_made(lab):
    name, rrtype = costly.encloser(150, 255)(lab)
    with lab.cost() as cost:
        is_insecure(lab.ask(name, rrtype), "NXDOMAIN")
    assert cost.blocks == 0


def test_d2_below_it_the_budget_ends_the_search(lab):
    name, rrtype = costly.encloser(50)(lab)
    with lab.cost() as cost:
        is_bogus(lab.ask(name, rrtype))
    assert 50 <= cost.blocks <= BLOCKS


@pytest.mark.parametrize("iterations,salt", [(0, 0), (0, 8), (10, 8)])
def test_d2_the_twin_usual_parameters(lab, iterations, salt):
    z = lab.zone(denial=Nsec3(bytes(range(salt)), iterations))
    z.add(z.name("a.deep.name.of.several.labels"), "A", ADDR)
    with lab.cost() as cost:
        is_secure(lab.ask(z.name("nx")), "NXDOMAIN")
        is_secure(lab.ask(z.name("nx.deep.name.of.several.labels")), "NXDOMAIN")
    within(cost, 2)
    assert cost.blocks > 0


def test_d2_a_flood_of_names_below_a_zone_that_is_known(lab):
    z = lab.zone(denial=Nsec3(bytes(8), 50))
    name = costly.deep_name(z, 60)
    is_bogus(lab.ask(name)) if rcode(lab.ask(name)) == "SERVFAIL" else None
    with lab.cost() as cost:
        for i in range(8):
            lab.ask(f"q{i}.{name}")
    within(cost, 8)


def test_d2_in_a_referral(keys):
    """A delegation that comes with records of a chain in which its name has no place."""
    lab, z = iterating(keys, 2, denial=Nsec3(b"", 50))
    with lab:
        name = costly.deep_name(z)
        cut = dns.name.from_text(name).parent()
        proof = costly.nsec3_padding(z)

        def how(message):
            message.authority = [rrset(cut, "NS", 300, f"ns0.{z.apex}"), *proof]
            return message
        is_secure(lab.ask(z.name("ok")))
        lab.twist(cut, None, how, below=True, anew=True)
        with lab.cost() as cost:
            m = lab.ask(name)
            assert m is not None and not m.flags & dns.flags.AD
        within(cost)
        child = lab.tree.zone(z.name("child"), denial=None)        # the twin: a delegation that is proved unsigned
        child.at = z.at
        z.add(child.apex, "NS", f"ns0.{z.apex}")
        child.add(child.name("www"), "A", ADDR)
        is_insecure(lab.ask(child.name("www")))


# --- D3: what is no failure and costs all the same -------------------------------------------------------------

def test_d3_the_twin_a_denial_with_a_record_more(lab):
    z = lab.zone()
    more = z.signed(nsec(z.name("p1"), z.name("p2"), "A", "RRSIG", "NSEC"))
    lab.twist(z.name("nx"), "A", lambda m: twist.replaced(authority=m.authority + more)(m))
    is_secure(lab.ask(z.name("nx")), "NXDOMAIN")


def test_d3_the_twin_an_old_signature_beside_the_new_one(lab):
    z = lab.zone()
    z.add(z.name("www"), "A", ADDR)
    z.sigs(z.name("www"), "A", lambda of, zone: [
        signature(of, zone.keys[0], zone.apex, expiration=1500000000, inception=1400000000),
        signature(of, zone.keys[0], zone.apex)])
    is_secure(lab.ask(z.name("www")))


# --- D4: shapes of keys ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("bits", [1024, 2048])
def test_d4_the_twin_usual_rsa(lab, bits):
    z = lab.zone(keys=[Key(RSA8, bits=bits)])
    z.add(z.name("www"), "A", ADDR)
    is_secure(lab.ask(z.name("www")))


@pytest.mark.parametrize("attack", ["D4 RSA of 16384 bits", "D4 RSA, exponent of 2000 bits"])
def test_d4_never_computed_with(lab, attack):
    name, rrtype = costly.ATTACKS[attack](lab)
    with lab.cost() as cost:
        m = lab.ask(name, rrtype)
        assert m is not None and not m.flags & dns.flags.AD
    assert cost.verifies <= 2       # the DS, and at most one look at the key


# --- D5: a limit that starts anew ------------------------------------------------------------------------------

@pytest.mark.parametrize("threads", [1, 2])
def test_d5_one_budget_for_all_hops(keys, threads):
    with Lab(keys, f"  num-threads: {threads}\n  trust-anchor-signaling: no\n") as lab:
        spent = []
        for _ in range(3):
            name, rrtype = costly.chain_of_traps(lab)
            with lab.cost() as cost:
                m = lab.ask(name, rrtype)
                assert m is not None and not m.flags & dns.flags.AD
            within(cost)
            spent.append(cost.verifies)
        assert max(spent) > VERIFIES // 2, spent       # it is the budget that ends them


@pytest.mark.parametrize("threads", [1, 2])
def test_d5_the_twin_a_chain_of_eight(keys, threads):
    with Lab(keys, f"  num-threads: {threads}\n  trust-anchor-signaling: no\n") as lab:
        for _ in range(3):
            chain_of_eight(lab)


def chain_of_eight(lab):
    zones = [lab.zone() for _ in range(4)]
    for i in range(8):
        here, following = zones[i % 4], zones[(i + 1) % 4]
        here.add(here.name(f"h{i}"), "CNAME", following.name(f"h{i + 1}"))
    zones[0].add(zones[0].name("h8"), "A", ADDR)
    with lab.cost() as cost:
        m = is_secure(lab.ask(zones[0].name("h0")))
    assert values(m) == [ADDR] and cost.verifies <= VERIFIES // 2


@pytest.mark.parametrize("threads", [1, 4])
def test_d5_the_twin_an_alias_through_nine_zones(keys, threads):
    """Whichever worker the question falls to has enough to spend."""
    with Lab(keys, f"  num-threads: {threads}\n  trust-anchor-signaling: no\n") as lab:
        for _ in range(4):
            zones = [lab.zone() for _ in range(9)]
            for here, following in zip(zones, zones[1:]):
                here.add(here.name("www"), "CNAME", following.name("www"))
            zones[-1].add(zones[-1].name("www"), "A", ADDR)
            with lab.cost() as cost:
                is_secure(lab.ask(zones[0].name("www")))
            within(cost)
            assert cost.asked <= 30


def iterating(keys, count, **how):
    """A program that asks authorities itself: the root at one address, `count` servers for the zone below it."""
    servers = [f"192.5.6.{i + 1}" for i in range(count)]
    hosts_at = {"1.1.1.1": "cloudflare", **{a: "cloudflare" for a in servers}}
    lab = Lab(keys, "  root-hints: /etc/root.hints\n", "", hosts_at, start=False)
    lab.world.write("/etc/root.hints", ". 3600 IN NS ns.root.\nns.root. 3600 IN A 1.1.1.1\n")
    lab.tree.root.at = {"1.1.1.1"}
    lab.tree.root.nodes[dns.name.root].pop(T.NS)
    lab.tree.root.add(".", "NS", "ns.root.").add("ns.root.", "A", "1.1.1.1")
    z = lab.zone(**how)
    z.at = set(servers)
    names = [f"ns{i}.{z.apex}" for i in range(count)]
    lab.tree.root.add(z.apex, "NS", *names)
    z.add(z.apex, "NS", *names)
    for name, addr in zip(names, servers):
        lab.tree.root.add(name, "A", addr)
        z.add(name, "A", addr)
    z.add(z.name("www"), "A", ADDR).add(z.name("ok"), "A", ADDR)
    lab.start("  root-hints: /etc/root.hints\n", "")
    return lab, z


def test_d5_thirteen_servers_that_all_lie(keys):
    lab, z = iterating(keys, 13)
    with lab:
        is_secure(lab.ask(z.name("ok")))
        lab.twist(z.name("www"), "A", twist.forged)
        with lab.cost() as cost:
            is_bogus(lab.ask(z.name("www")), 6)
        within(cost)
        assert lab.evil.count(z.name("www")) <= 30


# --- D6, D7: large, and nothing else ---------------------------------------------------------------------------

@pytest.mark.parametrize("attack", costly.BULKY)
def test_bulk_is_answered_or_refused(lab, attack):
    name, rrtype = costly.BULKY[attack](lab)
    with lab.cost() as cost:
        m = lab.ask(name, rrtype, tcp=True)
        assert m is not None and rcode(m) in ("NOERROR", "SERVFAIL"), m
    within(cost)
    if rcode(m) == "NOERROR":
        assert all(s.name == dns.name.from_text(name) for s in m.answer), "names that nobody asked for"


def test_d7_the_twin_sixty_texts(lab):
    z = lab.zone()
    z.add(z.name("www"), "TXT", *(f'"{i} {"y" * 60}"' for i in range(60)))
    assert len(is_secure(lab.ask(z.name("www"), "TXT", tcp=True)).answer[0]) == 60


# --- D8: names that point at names -----------------------------------------------------------------------------

def pointers(question: bytes, count: int) -> bytes:
    """A message whose only answer is owned by the last of `count` pointers, each of which points at the one before."""
    first = 12 + len(question) + 11
    chain = b"\xc0\x0c" + b"".join(struct.pack("!H", 0xc000 | first + 2 * i) for i in range(count - 1))
    filler = b"\0" + struct.pack("!HHIH", 10, 1, 0, len(chain)) + chain
    owner = struct.pack("!H", 0xc000 | first + 2 * (count - 1))
    answer = owner + struct.pack("!HHIH4s", 1, 1, 300, 4, b"\6\6\6\6")
    return struct.pack("!6H", 0, 0x8180, 1, 2, 0, 0) + question + filler + answer


@pytest.mark.parametrize("count", [500, 8000])
def test_d8_a_chain_of_pointers_from_upstream(lab, count):
    z = lab.zone(denial=None)
    name = z.name("www")
    z.add(name, "A", ADDR)
    lies = []

    def how(message):
        if lies:
            return message
        lies.append(1)
        return pointers(wire(name) + b"\0\1\0\1", count)
    lab.twist(name, "A", how)
    m = lab.ask(name)
    assert rcode(m) == "SERVFAIL" or values(m) == [ADDR], m
    assert "6.6.6.6" not in values(lab.ask(name))
    is_secure(lab.ask(lab.control.name("c100")))


def test_d8_a_chain_of_pointers_from_a_client(lab):
    chain = b"".join(struct.pack("!H", 0xc000 | 12 + 2 * (i + 1)) for i in range(8000)) + b"\0"
    message = struct.pack("!6H", 5, 0x0100, 1, 0, 0, 0) + chain + struct.pack("!HH", 1, 1)
    with stream(lab.world, timeout=1.0) as sock:
        sock.sendall(struct.pack("!H", len(message)) + message)
        got = frames(sock, 1)
    assert not got or got[0][3] & 15 == 1
    is_secure(lab.ask(lab.control.name("c101")))


# --- D9: options -----------------------------------------------------------------------------------------------

def optioned(name, options: bytes) -> bytes:
    message = packet(name, "A", 9, False)
    return message[:10] + b"\0\1" + message[12:] + b"\0\0\x29\x04\xd0" + bytes(4) + \
        struct.pack("!H", len(options)) + options


@pytest.mark.parametrize("options,good", [
    (struct.pack("!HH", 65001, 0) * 16000, False),
    ((struct.pack("!HH", 3, 0) + struct.pack("!HH8s", 10, 8, b"12345678") + struct.pack("!HH4s", 12, 4, b"")) * 50,
     False),
    (struct.pack("!HH", 65001, 9000), False),
    (struct.pack("!HH", 3, 0) + struct.pack("!HH8s", 10, 8, b"12345678") + struct.pack("!HH4s", 12, 4, b""), True),
], ids=["16000 empty", "50 of three kinds", "a length that lies", "the twin"])
def test_d9_options_of_a_client(lab, options, good):
    message = optioned(lab.control.name("c102"), options)
    with stream(lab.world) as sock:
        sock.sendall(struct.pack("!H", len(message)) + message)
        got = frames(sock, 1)
    assert got and got[0][3] & 15 in ((0,) if good else (0, 1)) and len(got[0]) < 1400
    is_secure(lab.ask(lab.control.name("c103")))


def test_d9_options_of_an_upstream(lab):
    z = lab.zone()
    z.add(z.name("www"), "A", ADDR)

    def how(message):
        message.use_edns(0, dns.flags.DO, 1232)
        data = bytearray(message.to_wire(max_size=65535))
        options = struct.pack("!HH", 65001, 0) * 14000
        return bytes(data[:-2]) + struct.pack("!H", len(options)) + options
    lab.twist(z.name("www"), "A", how)
    with lab.cost() as cost:
        m = lab.ask(z.name("www"))
        assert rcode(m) in ("NOERROR", "SERVFAIL")
    within(cost)
    is_secure(lab.ask(lab.control.name("c104")))


# --- D10: signed transactions ----------------------------------------------------------------------------------

def with_record(name, rrtype, rdata, qtype="A"):
    message = packet(name, "A", 9, False)
    message = message[:-4] + struct.pack("!HH", T.from_text(qtype), 1)
    return message[:10] + b"\0\1" + message[12:] + b"\0" + struct.pack("!HHIH", rrtype, 255, 0, len(rdata)) + rdata


@pytest.mark.parametrize("rrtype,qtype", [(24, "A"), (250, "A"), (249, "TKEY")], ids=["SIG(0)", "TSIG", "TKEY"])
def test_d10_signed_questions_cost_nothing(lab, rrtype, qtype):
    sig0 = struct.pack("!HBBIIIH", 0, 13, 0, 0, 2 ** 32 - 1, 0, 4711) + wire("key.example") + os.urandom(64)
    with lab.cost() as cost:
        for _ in range(20):
            reply = send(lab.world, with_record(lab.control.name("c105"), rrtype, sig0, qtype))
            assert reply is not None and reply[3] & 15 in (0, 1, 4, 5, 9), reply
    assert cost.verifies <= 1       # the name's own, once
    is_secure(lab.ask(lab.control.name("c106")))


# --- D11: memory -----------------------------------------------------------------------------------------------

def test_d11_random_names_below_a_signed_zone(keys):
    with Lab(keys, "  msg-cache-size: 256k\n  rrset-cache-size: 256k\n") as lab:
        z = lab.zone()
        at = []
        for part in range(3):
            for i in range(250):
                is_secure(lab.ask(f"r{part}x{i * 7919}.{z.apex}"), "NXDOMAIN")
            at.append(memory_of(lab.server.pid))
        assert at[2] - at[1] < 0.1 * at[1] + (1 << 20), at


# --- D12: names as long and as deep as they get ----------------------------------------------------------------

def test_d12_the_deepest_names(lab):
    z = lab.zone()
    names = [".".join(["d"] * 120) + f".{i}.{z.apex}" for i in range(5)]
    for name in names:
        z.add(name, "A", ADDR)
    with lab.cost() as cost:
        for name in names:
            is_secure(lab.ask(name))
    within(cost, len(names))
    before = lab.evil.below(z.apex)
    for name in names:
        is_secure(lab.ask(name))
    assert lab.evil.below(z.apex) == before


# --- D14: keys and what vouches for them -----------------------------------------------------------------------

def test_d14_nothing_is_verified_when_no_key_is_vouched_for(lab):
    name, rrtype = costly.many_keys(200, 50)(lab)
    with lab.cost() as cost:
        is_bogus(lab.ask(name, rrtype))
    assert cost.verifies <= 1       # the DS set


def test_d14_few_keys_are_hashed_for_their_ds(lab):
    """Fifty DS and fifty keys, all of one tag: 2,500 pairs."""
    name, rrtype = costly.hashtrap(lab)
    with lab.cost() as cost:
        is_bogus(lab.ask(name, rrtype))
    assert 0 < cost["signet_validation_ds_hashes_total"] <= 32


def test_d14_the_twin_many_keys_and_ds(lab):
    real = Key()
    z = lab.zone(keys=[real] + [Key(flags=ZSK) for _ in range(11)])
    z.set_ds(*(ds(i + 1, 13, 2, os.urandom(32)) for i in range(5)), real.ds(z.apex))
    z.signers = [real]
    z.add(z.name("www"), "A", ADDR)
    with lab.cost() as cost:
        is_secure(lab.ask(z.name("www")))
    assert cost.verifies <= 8
