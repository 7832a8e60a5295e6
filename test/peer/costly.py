"""Attacks on a validator's time and memory. Each makes a world of its own below the lab's root and says which question
sets it off: made(lab) gives (name, type). What is proved about them is in test_attacks_cost.py, what they cost in
bench/attacks.py."""
import os
import struct

import dns.name
import dns.rdatatype

from evilzone import (COLLIDING_TAG, KSK, P256, RSA8, ZSK, Key, Nsec3, colliding, ds, dnskey, nsec, rdata, rrset,
                      rsa_public, signature)
from twist import replaced

T = dns.rdatatype
ADDR = "198.51.100.9"
DEEP = 120      # labels of the longest names asked for
PROOFS = 7      # records of a denial that are looked at


def bad(count, key):
    """That many signatures which only a verification shows to be none."""
    def how(of, zone):
        return [signature(of, key, zone.apex, signature=os.urandom(31) + b"\1" + os.urandom(31) + b"\1")
                for _ in range(count)]
    return how


# --- D1: keys and signatures of one tag ------------------------------------------------------------------------

def keytrap(keys, sigs, rrtype="A"):
    def made(lab):
        z = lab.zone(keys=[Key(), *colliding(keys)])
        z.add(z.name("www"), "A", ADDR)
        z.sigs(z.name("www"), "A", bad(sigs, z.keys[-1]))
        return z.name("www"), rrtype
    return made


def hashtrap(lab):
    """Fifty DS of one tag for fifty keys of that tag, no two of which belong together."""
    z = lab.zone(keys=colliding(50, KSK - 1))
    z.set_ds(*(ds(COLLIDING_TAG, P256, 2, os.urandom(32)) for _ in range(50)))
    z.add(z.name("www"), "A", ADDR)
    return z.name("www"), "A"


def dnskey_trap(lab):
    """The DS is right; the keys are signed by fifty signatures of one tag, all bad."""
    ring = colliding(50)
    z = lab.zone(keys=ring)
    z.set_ds(*(k.ds(z.apex) for k in ring[:8]))
    z.sigs(z.apex, "DNSKEY", bad(50, ring[0]))
    z.add(z.name("www"), "A", ADDR)
    return z.name("www"), "A"


def anytrap(lab):
    """Sixty sets of one name, eight bad signatures each."""
    z = lab.zone(keys=[Key(), *colliding(50)])
    sets = []
    for i in range(60):
        made = rrset(z.name("www"), 65280 + i, 300, rdata(65280 + i, b"x"))
        sets += [made, rrset(made.name, "RRSIG", 300, *bad(8, z.keys[-1])(made, z))]
    z.add(z.name("www"), "A", ADDR)
    lab.twist(z.name("www"), "ANY", lambda m: replaced(answer=sets, authority=[])(m))
    return z.name("www"), "ANY"


# --- D2: hashes ------------------------------------------------------------------------------------------------

def deep_name(z, labels=DEEP):
    room = 255 - len(z.apex.to_wire()) - 2
    return ".".join(["x"] * min(labels, room // 2)) + f".{z.apex}"


def nsec3_padding(z, count=PROOFS):
    """Records of the zone's chain that cover nothing of use."""
    out = []
    for i in range(count):
        out += z.signed(z.denial.record(z.apex, bytes([i]) + bytes(19), bytes([i]) + bytes(18) + b"\1"))
    return out


def encloser(iterations, salt=0, labels=DEEP, records=PROOFS):
    """A deep name that is not there, and no proof of where it leaves the zone."""
    def made(lab):
        z = lab.zone(denial=Nsec3(bytes(range(salt)), iterations))
        name = deep_name(z, labels)
        proof = nsec3_padding(z, records)
        lab.twist(name, "A", lambda m: replaced(authority=z.soa() + proof, rcode=3)(m))
        return name, "A"
    return made


def encloser_of_a_ds(iterations, salt=0):
    """The same where the DS of a delegation is asked for."""
    def made(lab):
        z = lab.zone(denial=Nsec3(bytes(range(salt)), iterations))
        name = deep_name(z)
        proof = nsec3_padding(z)
        lab.twist(name, "A", lambda m: replaced(answer=[rrset(name, "A", 300, ADDR)], authority=[], rcode=0)(m))
        apex = z.apex
        lab.twist(apex, "DS", lambda m: m if m.question[0].name == apex else
                  replaced(answer=[], authority=z.soa() + proof, rcode=0)(m), below=True)
        return name, "A"
    return made


# --- D3: work that is not a failure ----------------------------------------------------------------------------

def padded_denial(lab):
    """An NXDOMAIN with sixty NSEC records, all of them properly signed."""
    z = lab.zone()
    proof = []
    for i in range(60):
        proof += z.signed(nsec(z.name(f"p{i:02}"), z.name(f"p{i:02}a"), "A", "RRSIG", "NSEC"))
    lab.twist(z.name("nx"), "A", lambda m: replaced(authority=z.soa() + proof, rcode=3)(m))
    return z.name("nx"), "A"


def expired_flood(lab):
    z = lab.zone()
    z.add(z.name("www"), "A", ADDR)
    z.sigs(z.name("www"), "A", lambda of, zone: [
        signature(of, zone.keys[0], zone.apex, expiration=1500000000 + i, inception=1400000000) for i in range(200)])
    return z.name("www"), "A"


def malformed_keys(lab):
    """Forty keys of one tag that are on no curve."""
    real = Key()
    made = []
    for i in range(40):
        public = bytearray(os.urandom(62) + b"\0\0")
        tag = dnskey(ZSK, P256, bytes(public))
        rest = (COLLIDING_TAG - sum(struct.unpack(f"!{len(tag.to_wire()) // 2}H", tag.to_wire()))) % 65535
        public[62:] = struct.pack("!H", rest)
        made.append(Key(shown=bytes(public), flags=ZSK))
    z = lab.zone(keys=[real, *made])
    z.add(z.name("www"), "A", ADDR)
    z.sigs(z.name("www"), "A", lambda of, zone: [
        signature(of, real, zone.apex, tag=made[0].tag, signature=os.urandom(64)) for _ in range(8)])
    return z.name("www"), "A"


# --- D4: keys of costly shapes ---------------------------------------------------------------------------------

def rsa_shape(bits, exponent):
    def made(lab):
        modulus = int.from_bytes(os.urandom(bits // 8), "big") | 1 | 1 << (bits - 1)
        key = Key(number=RSA8, shown=rsa_public(exponent, modulus))
        z = lab.zone(keys=[key])
        z.sigs(None, None, lambda of, zone: [signature(of, key, zone.apex, signature=os.urandom(bits // 8))])
        z.add(z.name("www"), "A", ADDR)
        return z.name("www"), "A"
    return made


# --- D5: the same again, at the next name ----------------------------------------------------------------------

def chain_of_traps(lab, hops=11):
    """Each alias is signed by the second of two keys of one tag, and stands in a zone of its own."""
    zones = [lab.zone(keys=colliding(50)[2 * i:2 * i + 2]) for i in range(hops + 1)]
    for here, following in zip(zones, zones[1:] + [None]):
        if following:
            here.add(here.name("www"), "CNAME", following.name("www"))
        else:
            here.add(here.name("www"), "A", ADDR).sigs(here.name("www"), "A", bad(1, here.keys[0]))
    return zones[0].name("www"), "A"


# --- D7, D14: too many of everything ---------------------------------------------------------------------------

def many_keys(keys, count_ds):
    def made(lab):
        z = lab.zone(keys=[Key(shown=os.urandom(64)) for _ in range(keys)])
        z.set_ds(*(ds(i, P256, 1 + i % 2 * 3, os.urandom(48 if i % 2 else 20)) for i in range(count_ds)))
        z.sigs(z.apex, "DNSKEY", bad(8, z.keys[0]))
        z.add(z.name("www"), "A", ADDR)
        return z.name("www"), "A"
    return made


def long_label(i):
    return f"{i:05}" + "abcdefghijklmnopqrstuvwxyz" * 2


def many_targets(count, rrtype="PTR", signed=True):
    """Names that have nothing in common, each of which a compressor looks for."""
    def made(lab):
        z = lab.zone() if signed else lab.zone(denial=None)
        z.add(z.name("www"), rrtype, *(f"n{i}.{i:04x}.t{i}." for i in range(count)))
        return z.name("www"), rrtype
    return made


def many_owners(count):
    def made(lab):
        z = lab.zone(denial=None)
        sets = [rrset(z.name(f"o{i}"), "A", 300, ADDR) for i in range(count)]
        z.add(z.name("www"), "A", ADDR)
        lab.twist(z.name("www"), "A", lambda m: replaced(answer=m.answer + sets)(m))
        return z.name("www"), "A"
    return made


def big_text(kilobytes):
    def made(lab):
        z = lab.zone()
        z.add(z.name("www"), "TXT", *(f'"{i:05}{"x" * 245}"' for i in range(kilobytes * 1000 // 263)))
        return z.name("www"), "TXT"
    return made


def keytrap_flood(lab, count):
    """One zone of fifty keys of one tag, `count` names in it with fifty bad signatures each."""
    z = lab.zone(keys=[Key(), *colliding(50)])
    z.sigs(None, T.A, bad(50, z.keys[-1]))
    z.add(z.name("*.q"), "A", ADDR)
    sets = z.signed(z.nodes[dns.name.from_text(z.name("*.q"))][T.A])
    lab.twist(z.name("q"), "A", lambda m: replaced(answer=[z.renamed(s, m.question[0].name) for s in sets])(m),
              below=True, anew=True)
    return [(z.name(f"q{i:06}.q"), "A") for i in range(count)]


def encloser_flood(lab, count):
    """One zone whose every denial is a search for an encloser that is not there."""
    z = lab.zone(denial=Nsec3(b"", 50))
    proof = z.soa() + nsec3_padding(z)
    lab.twist(z.apex, "A", lambda m: replaced(authority=proof, rcode=3)(m), below=True, anew=True)
    deep = deep_name(z, DEEP - 10)
    return [(f"q{i:06}.{deep}", "A") for i in range(count)]


FLOODS = {"D1 keys and signatures of one tag": keytrap_flood, "D2 names without an encloser": encloser_flood}
ATTACKS = {
    "D1 50 keys x 50 signatures": keytrap(50, 50),
    "D1 50 keys x 1 signature": keytrap(50, 1),
    "D1 1 key x 50 signatures": keytrap(1, 50),
    "D1 50 DS x 50 keys": hashtrap,
    "D1 50 signatures over keys": dnskey_trap,
    "D1 ANY, 60 sets x 8 signatures": anytrap,
    "D2 iterations 150, salt 255": encloser(150, 255),
    "D2 iterations 150, salt 255, 10 NSEC3": encloser(150, 255, records=10),
    "D2 iterations 50": encloser(50),
    "D2 iterations 150": encloser(150),
    "D2 iterations 0, 120 labels": encloser(0),
    "D2 iterations 50, at a DS": encloser_of_a_ds(50),
    "D2 iterations 150, salt 255, at a DS": encloser_of_a_ds(150, 255),
    "D3 NXDOMAIN with 60 NSEC": padded_denial,
    "D3 200 expired signatures": expired_flood,
    "D3 40 malformed keys": malformed_keys,
    "D4 RSA of 16384 bits": rsa_shape(16384, 65537),
    "D4 RSA, exponent of 2000 bits": rsa_shape(2048, (1 << 1999) | 1),
    "D5 11 aliases of two keys each": chain_of_traps,
    "D14 300 DNSKEY, 50 DS": many_keys(300, 50),
    "D14 200 DNSKEY, 50 DS": many_keys(200, 50),
}
# Big data, which may be served.
BULKY = {
    "D6 250 PTR, signed": many_targets(250),
    "D6 1500 PTR": many_targets(1500, signed=False),
    "D7 60 kB of TXT": big_text(60),
    "D7 1000 owners": many_owners(1000),
}
