"""Zones signed as they are asked for, honestly or not: each field of each signature, key and proof can be another.

A Tree is a root and what is delegated below it. tree.answer(name, type) is what an honest recursive server would say,
tree.serve(zones, name, type) what an authoritative one of those zones says. Lies are told in three places:
  zone.keys, zone.set_ds()      which keys are shown, and what the parent says of them
  zone.sigs(name, type, ...)    the fields of the signatures over one set, or a function that makes them
  message in, message out       in evilauth.py, once the honest answer is there; see twist.py
"""
import base64
import functools
import hashlib
import struct
import time

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from keys import DAY

IN = dns.rdataclass.IN
T = dns.rdatatype
RSA8, P256, P384, ED25519 = 8, 13, 14, 15
ZSK, KSK, REVOKED = 256, 257, 0x80
ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551   # of P-256's base point
CNAMES_MAX = 16

# P-256 private keys, each the sum of COLLIDING_FROM and an offset, that as DNSKEY 256 3 13 all have this one tag:
# 1.6 million keys were tried for them once.
COLLIDING_FROM = int.from_bytes(hashlib.sha256(b"colliding key tags").digest(), "big") % ORDER
COLLIDING_TAG = 42378
COLLIDING = (
    12541, 36964, 48970, 179015, 197582, 215611, 240018, 242853, 254256, 271710, 327407, 414137, 486868, 527158,
    528152, 587900, 601890, 680426, 695100, 702460, 707142, 826550, 856167, 882081, 898825, 938234, 959453,
    960631, 987722, 1060042, 1069704, 1069905, 1123939, 1174633, 1200657, 1278614, 1279565, 1340322, 1388664,
    1424308, 1464648, 1465315, 1502741, 1574209, 1605193, 1629972, 1655071, 1761132, 1791606, 1810125,
)


def name_of(text) -> dns.name.Name:
    return text if isinstance(text, dns.name.Name) else dns.name.from_text(text)


def type_of(text) -> int:
    return text if isinstance(text, int) else T.from_text(text)


class Key:
    """A throw-away key. number: the algorithm it claims to be of; shown: other bytes in place of its public key."""

    def __init__(self, algorithm=P256, flags=KSK, secret=None, protocol=3, number=None, shown=None, bits=1024):
        self.algorithm = number or algorithm
        if algorithm == P256:
            curve = ec.SECP256R1()
            self.private = ec.derive_private_key(secret, curve) if secret else ec.generate_private_key(curve)
            public = self.private.public_key().public_bytes(serialization.Encoding.X962,
                                                            serialization.PublicFormat.UncompressedPoint)[1:]
        elif algorithm == ED25519:
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        else:
            self.private = rsa.generate_private_key(65537, bits)
            n = self.private.public_key().public_numbers().n
            public = rsa_public(65537, n)
        self.rdata = dnskey(flags, self.algorithm, public if shown is None else shown, protocol)

    @property
    def tag(self):
        return dns.dnssec.key_id(self.rdata)

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def ds(self, apex, digest=2):
        made = {1: hashlib.sha1, 2: hashlib.sha256, 4: hashlib.sha384}[digest]
        data = name_of(apex).canonicalize().to_wire() + self.rdata.to_wire()
        return ds(self.tag, self.algorithm, digest, made(data).digest())


@functools.lru_cache(maxsize=8)
def colliding(count, flags=ZSK):
    """Keys of one tag, which can all sign."""
    return tuple(Key(secret=(COLLIDING_FROM + offset) % ORDER, flags=flags) for offset in COLLIDING[:count])


def rsa_public(exponent: int, modulus: int) -> bytes:
    """RFC 3110."""
    e = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    head = bytes([len(e)]) if len(e) < 256 else b"\0" + struct.pack("!H", len(e))
    return head + e + modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")


def rdata(rrtype, wire: bytes):
    """Of any bytes at all."""
    return dns.rdata.GenericRdata(IN, type_of(rrtype), wire)


def dnskey(flags, algorithm, public: bytes, protocol=3):
    return dns.rdata.from_wire(IN, T.DNSKEY, *whole(struct.pack("!HBB", flags, protocol, algorithm) + public))


def ds(tag, algorithm, digest, data: bytes):
    return rdata("DS", struct.pack("!HBB", tag, algorithm, digest) + data)


def whole(wire):
    return wire, 0, len(wire)


def rrset(owner, rrtype, ttl, *rdatas):
    made = dns.rrset.RRset(name_of(owner), IN, type_of(rrtype))
    for rd in rdatas:
        made.add(rd if isinstance(rd, dns.rdata.Rdata) else
                 dns.rdata.from_text(IN, type_of(rrtype), rd, origin=dns.name.root, relativize=False), ttl)
    return made


def labels_of(owner) -> int:
    return len(owner) - 1 - (owner.is_wild() and len(owner) > 1)


def signature(of: dns.rrset.RRset, key: Key, signer, **f):
    """An RRSIG over a set. f: algorithm labels ttl expiration inception tag covered: other fields, signed as they are;
    after: fields changed once it was signed; signature: bytes; over: a set whose data is signed; zone: a signer."""
    now = int(time.time())
    signer = name_of(f.get("zone", signer)).canonicalize().to_wire()
    over, ttl = f.get("over", of), f.get("ttl", of.ttl)
    labels = f.get("labels", labels_of(of.name))

    def head(f):
        return struct.pack("!HBBIIIH", type_of(f.get("covered", of.rdtype)), f.get("algorithm", key.algorithm),
                           f.get("labels", labels), f.get("ttl", ttl), f.get("expiration", now + 20 * DAY),
                           f.get("inception", now - DAY), f.get("tag", key.tag)) + signer

    owner = over.name
    if labels < labels_of(owner):
        owner = dns.name.Name((b"*", *owner.labels[len(owner) - 1 - labels:]))
    owner = owner.canonicalize().to_wire()
    data = head(f)
    for rd in sorted({rd.to_digestable() for rd in over}):
        data += owner + struct.pack("!HHIH", of.rdtype, 1, ttl, len(rd)) + rd
    made = f.get("signature") or key.sign(data)
    return rdata("RRSIG", head({**f, **f.get("after", {})}) + made)


@functools.lru_cache(maxsize=4096)
def nsec3_hash(name, salt: bytes, iterations: int) -> bytes:
    digest = hashlib.sha1(name.canonicalize().to_wire() + salt).digest()
    for _ in range(iterations):
        digest = hashlib.sha1(digest + salt).digest()
    return digest


def base32(digest: bytes) -> str:
    return base64.b32hexencode(digest).decode().lower()


def bitmap(types) -> bytes:
    out, windows = b"", {}
    for code in sorted(types):
        bits = windows.setdefault(code >> 8, bytearray())
        bits.extend(bytes(max(0, (code & 255) // 8 + 1 - len(bits))))
        bits[(code & 255) // 8] |= 0x80 >> (code & 7)
    for window, bits in sorted(windows.items()):
        out += bytes([window, len(bits)]) + bytes(bits)
    return out


def nsec(owner, following, *types, ttl=60):
    return rrset(owner, "NSEC", ttl, rdata("NSEC", name_of(following).to_wire() + bitmap(map(type_of, types))))


class Nsec3:
    """How a zone denies by hash. said: the iterations its records speak of, where those are not the truth."""

    def __init__(self, salt=b"", iterations=0, opt_out=False, algorithm=1, flags=0, said=None):
        self.salt, self.iterations, self.opt_out = salt, iterations, opt_out
        self.said = iterations if said is None else said
        self.algorithm, self.flags = algorithm, flags | opt_out

    def hash(self, name) -> bytes:
        return nsec3_hash(name, self.salt, self.iterations)

    def record(self, zone, owner: bytes, following: bytes, *types, ttl=60):
        body = struct.pack("!BBHB", self.algorithm, self.flags, self.said, len(self.salt)) + self.salt
        body += bytes([len(following)]) + following + bitmap(map(type_of, types))
        return rrset(dns.name.from_text(base32(owner), name_of(zone)), "NSEC3", ttl, rdata("NSEC3", body))


class Zone:
    """One zone. denial: "nsec", "narrow" (each proof made for its question alone), an Nsec3, or None: unsigned."""

    def __init__(self, apex, denial="nsec", keys=None, ttl=300):
        self.apex, self.denial, self.ttl, self.parent = name_of(apex), denial, ttl, None
        self.keys = ([Key()] if keys is None else keys) if denial else []
        self.signers = None           # who signs data; None: the last key shown, and the first one the keys
        self.nodes, self.fields, self.at, self.negative = {}, {}, None, 60
        self.add(apex, "SOA", f"ns.{apex} host.{apex} 1 7200 3600 86400 {self.negative}".replace("..", "."))
        self.add(apex, "NS", f"ns.{apex}".replace("..", "."))

    # --- what is in it ---

    def add(self, owner, rrtype, *rdatas, ttl=None):
        owner, rrtype = name_of(owner), type_of(rrtype)
        made = rrset(owner, rrtype, self.ttl if ttl is None else ttl, *rdatas)
        self.replace(owner, {**self.nodes.get(owner, {}), rrtype: made})
        return self

    def replace(self, owner, sets):
        """What others may be reading at this moment stays as it is."""
        self.nodes = {**self.nodes, owner: sets}

    def name(self, label):
        return f"{label}.{self.apex}"

    def set_ds(self, *rdatas):
        kept = {t: s for t, s in self.parent.nodes[self.apex].items() if t != T.DS}
        self.parent.replace(self.apex, kept)
        if rdatas:
            self.parent.add(self.apex, "DS", *rdatas)
        return self

    def sigs(self, owner, rrtype, how=None, **fields):
        """how(rrset, zone): RRSIG rdatas; or fields as signature() has them. owner None: every set."""
        self.fields[owner and name_of(owner), rrtype and type_of(rrtype)] = how or fields
        return self

    def sets_at(self, owner):
        sets = dict(self.nodes.get(owner, {}))
        if owner == self.apex and self.keys:
            sets[T.DNSKEY] = rrset(owner, "DNSKEY", self.ttl, *(k.rdata for k in self.keys))
        return sets

    def cuts(self):
        return [n for n, sets in self.nodes.items() if n != self.apex and T.NS in sets]

    def is_glue(self, owner):
        return any(owner != c and owner.is_subdomain(c) for c in self.cuts())

    # --- signatures ---

    def signed(self, of: dns.rrset.RRset, key=None):
        """[the set, its signatures]"""
        if not self.denial or of is None:
            return [of] if of else []
        how = next((self.fields[k] for k in ((of.name, of.rdtype), (None, of.rdtype), (None, None))
                    if k in self.fields), {})
        if callable(how):
            made = how(of, self)
        else:
            signers = [key] if key else [self.keys[0]] if of.rdtype == T.DNSKEY else self.signers or [self.keys[-1]]
            made = [signature(of, k, self.apex, **how) for k in signers]
        return [of, rrset(of.name, "RRSIG", of.ttl, *made)] if made else [of]

    # --- denials ---

    def types_at(self, owner):
        sets = set(self.sets_at(owner))
        at_cut = owner != self.apex and T.NS in sets
        sets = (sets & {T.NS, T.DS}) if at_cut else sets
        return sets | {T.RRSIG, T.NSEC} if self.denial in ("nsec", "narrow") else \
            sets | ({T.RRSIG} if not at_cut or T.DS in sets else set())

    def chain(self):
        cuts = self.cuts()
        return sorted(n for n in self.nodes if not any(n != c and n.is_subdomain(c) for c in cuts))

    def exists(self, owner):
        return any(n.is_subdomain(owner) and not self.is_glue(n) for n in self.nodes)

    def nsec_at(self, owner):
        """The record that matches owner, or covers it."""
        if self.denial == "narrow":
            if owner in self.nodes:
                following = dns.name.Name((b"\0", *owner.labels))
                return nsec(owner, following, *self.types_at(owner), ttl=self.negative)
            first = owner.labels[0]
            before = first[:-1] + bytes([first[-1] - 1]) + b"~"
            return nsec(dns.name.Name((before, *owner.labels[1:])), dns.name.Name((first + b"!", *owner.labels[1:])),
                        T.RRSIG, T.NSEC, ttl=self.negative)
        names = self.chain()
        at = max(i for i, n in enumerate(names) if n <= owner)
        return nsec(names[at], names[(at + 1) % len(names)], *self.types_at(names[at]), ttl=self.negative)

    def hashed(self):
        """{hash: types}, empty non-terminals too."""
        out = {}
        for owner in self.chain():
            unsigned_cut = owner != self.apex and T.NS in self.nodes[owner] and T.DS not in self.nodes[owner]
            if self.denial.opt_out and unsigned_cut:
                continue
            out[self.denial.hash(owner)] = self.types_at(owner)
            up = owner
            while up != self.apex:
                out.setdefault(self.denial.hash(up), set())
                up = up.parent()
        return out

    def nsec3_at(self, owner):
        chain, wanted = self.hashed(), self.denial.hash(owner)
        order = sorted(chain)
        at = max((i for i, h in enumerate(order) if h <= wanted), default=len(order) - 1)
        return self.denial.record(self.apex, order[at], order[(at + 1) % len(order)], *chain[order[at]],
                                  ttl=self.negative)

    def encloser(self, owner):
        """(closest encloser, the name one label longer)."""
        closer = owner
        while not self.exists(owner):
            closer, owner = owner, owner.parent()
        return owner, closer

    def proof(self, owner, wildcard=True):
        """That owner is not there, and with `wildcard` what is said of the wildcard that might make it."""
        if not self.denial:
            return []
        ce, closer = self.encloser(owner)
        star = dns.name.Name((b"*", *ce.labels))
        if isinstance(self.denial, Nsec3):
            records = [self.nsec3_at(n) for n in ([ce, closer, star] if wildcard else [closer])]
        else:
            records = [self.nsec_at(n) for n in ([owner, star] if wildcard else [owner])]
        return self.told(records)

    def told(self, records):
        """Each once, signed."""
        unique = {r.name: r for r in records}
        return [s for r in unique.values() for s in self.signed(r)]

    def match(self, owner):
        """What stands at owner, or that it is empty."""
        if not self.denial:
            return []
        if isinstance(self.denial, Nsec3):
            if self.denial.hash(owner) in self.hashed():
                return self.told([self.nsec3_at(owner)])
            ce, closer = owner.parent(), owner        # an unsigned delegation in an opt-out span
            while self.denial.hash(ce) not in self.hashed():
                ce, closer = ce.parent(), ce
            return self.told([self.nsec3_at(ce), self.nsec3_at(closer)])
        return self.told([self.nsec_at(owner)])

    def soa(self):
        made = self.nodes[self.apex][T.SOA].copy()
        made.ttl = min(made.ttl, self.negative)
        return self.signed(made)

    # --- answers ---

    def look(self, qname, qtype):
        """(rcode, answer, authority, alias to go on with or None)."""
        for up in range(1, len(qname) - len(self.apex) + 1):
            above = dns.name.Name(qname.labels[up:])
            made = self.nodes.get(above, {}).get(T.DNAME)
            if made is not None:
                to = dns.name.Name((*qname.labels[:up], *made[0].target.labels))
                return 0, [*self.signed(made), rrset(qname, "CNAME", made.ttl, str(to))], [], to
        owner, proof = qname, []
        if not self.exists(qname):
            ce, _ = self.encloser(qname)
            owner = dns.name.Name((b"*", *ce.labels))
            if owner not in self.nodes:
                return 3, [], self.soa() + self.proof(qname), None
            proof = self.proof(qname, wildcard=False)
        sets = self.sets_at(owner)
        found = sets.get(qtype) or sets.get(T.CNAME)
        if found is not None:
            return (0, [self.renamed(s, qname) for s in self.signed(found)], proof,
                    found[0].target if found.rdtype == T.CNAME and qtype != T.CNAME else None)
        if owner == qname:
            return 0, [], self.soa() + self.match(qname), None
        if isinstance(self.denial, Nsec3):
            return 0, [], self.soa() + self.proof(qname), None
        return 0, [], self.soa() + proof + self.match(owner), None

    @staticmethod
    def renamed(of, owner):
        made = of.copy()
        made.name = owner
        return made

    def referral(self, cut):
        sets = self.nodes[cut]
        proof = self.signed(sets[T.DS]) if T.DS in sets else self.match(cut)
        glue = [s for n, at in self.nodes.items() if n.is_subdomain(cut) and n != cut for s in at.values()
                if s.rdtype in (T.A, T.AAAA)]
        return [sets[T.NS]] + proof, glue


class Tree:
    """The root, and zones delegated below it. The root denies narrowly, so that a zone may be added at any time."""

    def __init__(self):
        self.root = Zone(".", denial="narrow")
        self.zones = {self.root.apex: self.root}

    def zone(self, apex, **how) -> Zone:
        made = Zone(apex, **how)
        made.parent = self.zone_of(made.apex.parent())
        made.parent.add(apex, "NS", f"ns.{apex}")
        self.zones = {**self.zones, made.apex: made}
        if made.keys:
            made.set_ds(made.keys[0].ds(apex))
        return made

    def zone_of(self, owner, qtype=None, among=None) -> Zone:
        """The one that speaks of a name; of a DS, the parent."""
        above = qtype == T.DS and owner != dns.name.root
        zones = self.zones if among is None else {z.apex: z for z in among}
        at = owner.parent() if above else owner
        while at not in zones:
            if at == dns.name.root:
                return None
            at = at.parent()
        return zones[at]

    def anchor(self) -> str:
        key = self.root.keys[0].ds(".")
        tag, algorithm, digest = struct.unpack("!HBB", key.data[:4])
        return f". IN DS {tag} {algorithm} {digest} {key.data[4:].hex().upper()}\n"

    def answer(self, qname, qtype) -> dns.message.Message:
        """A recursive server's answer, aliases followed."""
        qname, qtype = name_of(qname), type_of(qtype)
        message = blank(qname, qtype)
        for _ in range(CNAMES_MAX):
            zone = self.zone_of(qname, qtype)
            rcode, answer, authority, alias = zone.look(qname, qtype)
            message.answer += answer
            message.authority += authority
            message.set_rcode(rcode)
            if alias is None:
                break
            qname = alias
        return message

    def serve(self, zones, qname, qtype) -> dns.message.Message:
        """An authoritative server's: what it has, or a referral."""
        message = blank(qname, qtype)
        zone = self.zone_of(qname, qtype, zones)
        if zone is None:
            message.set_rcode(dns.rcode.REFUSED)
            return message
        cut = next((c for c in zone.cuts() if qname.is_subdomain(c) and (qname != c or qtype != T.DS)), None)
        if cut:
            message.authority, message.additional = zone.referral(cut)
            return message
        rcode, message.answer, message.authority, _ = zone.look(qname, qtype)
        message.flags |= dns.flags.AA
        message.set_rcode(rcode)
        return message


def blank(qname, qtype) -> dns.message.Message:
    query = dns.message.make_query(qname, qtype)
    message = dns.message.make_response(query, recursion_available=True)
    return message
