"""What the test hosts need before they start: certificates of a test CA, and a small signed tree.

Everything is made with the openssl program, once per session, into one folder:
  ca.pem            the authority the program under test is told to trust
  NAME.pem          certificate + key in one file: cloudflare, quad9, wrong (another name),
                    unknown-cloudflare, unknown-quad9 (right names, an authority nobody trusts)
  canned.json       signed answers: the root, the unsigned top-level domains below it, and the
                    signed zones "secure" (good) and "forged" (signatures over other data)
  root.key          the trust anchor that belongs to that root, as DS
  root.dnskey       the same as DNSKEY, the form Debian ships
"""
import base64
import hashlib
import json
import struct
import subprocess
import time
from pathlib import Path

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
         "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "HTTPS": 65, "ANY": 255, "CAA": 257}
UNSIGNED = ("arpa", "com", "net", "org", "xyz")
SIGNED = ("secure", "forged")
DAY = 86400

CERTS = {  # file: (authority, name in the certificate, days)
    "cloudflare": ("ca", "cloudflare-dns.com", 30),
    "quad9": ("ca", "dns.quad9.net", 30),
    "wrong": ("ca", "resolver.wrong.test", 30),
    "unknown-cloudflare": ("stranger", "cloudflare-dns.com", 30),
    "unknown-quad9": ("stranger", "dns.quad9.net", 30),
}


def openssl(*args, data=None):
    done = subprocess.run(["openssl", *args], input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(args)}: {done.stderr.decode()}")
    return done.stdout


def make_certs(folder: Path):
    key = folder / "host.key"
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
    for authority in ("ca", "stranger"):
        openssl("req", "-x509", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-keyout", str(folder / f"{authority}.key"), "-out", str(folder / f"{authority}.pem"),
                "-subj", f"/CN=signet test {authority}", "-days", "60")
    for name, (authority, host, days) in CERTS.items():
        cert = openssl("req", "-x509", "-new", "-key", str(key), "-CA", str(folder / f"{authority}.pem"),
                       "-CAkey", str(folder / f"{authority}.key"), "-subj", f"/CN={host}", "-days", str(days),
                       "-addext", f"subjectAltName=DNS:{host}", "-addext", "basicConstraints=critical,CA:FALSE",
                       "-addext", "extendedKeyUsage=serverAuth")
        (folder / f"{name}.pem").write_bytes(cert + key.read_bytes())


def wire(name: str) -> bytes:
    """A name in wire form, lower case."""
    out = b""
    for label in name.lower().rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def nsec_types(*names) -> bytes:
    """The type bitmap of an NSEC record; every type used here is below 256."""
    codes = [TYPES[n] for n in names]
    bits = bytearray(max(codes) // 8 + 1)
    for code in codes:
        bits[code // 8] |= 0x80 >> code % 8
    return bytes([0, len(bits)]) + bytes(bits)


class Zone:
    """One signed zone with one P-256 key that signs everything."""

    def __init__(self, apex: str, folder: Path):
        self.apex = wire(apex)
        self.key = folder / f"zone-{apex or 'root'}.key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(self.key))
        public = openssl("ec", "-in", str(self.key), "-pubout", "-outform", "DER")[-64:]
        self.dnskey = struct.pack("!HBB", 257, 3, 13) + public
        self.tag = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(self.dnskey))
        self.tag = (self.tag + (self.tag >> 16)) & 0xffff
        self.soa_rdata = wire("ns." + apex) + wire("host." + apex) + struct.pack("!5I", 1, 7200, 3600, DAY, 300)

    def ds(self) -> bytes:
        digest = hashlib.sha256(self.apex + self.dnskey).digest()
        return struct.pack("!HBB", self.tag, 13, 2) + digest

    def sign(self, owner: bytes, rrtype: int, ttl: int, rdatas, forged=False):
        """The RRset and its RRSIG, each as [owner, type, ttl, rdata]."""
        now = int(time.time())
        labels = sum(1 for _ in labels_of(owner))
        head = struct.pack("!HBBIIIH", rrtype, 13, labels, ttl, now + 20 * DAY, now - DAY, self.tag) + self.apex
        data = head
        for rdata in sorted(rdatas):
            signed = rdata[:-1] + bytes([rdata[-1] ^ 1]) if forged else rdata
            data += owner + struct.pack("!HHIH", rrtype, 1, ttl, len(rdata)) + signed
        der = openssl("dgst", "-sha256", "-sign", str(self.key), data=data)
        rrs = [[owner, rrtype, ttl, r] for r in rdatas]
        return rrs + [[owner, TYPES["RRSIG"], ttl, head + raw_signature(der)]]

    def soa(self):
        return self.sign(self.apex, TYPES["SOA"], 300, [self.soa_rdata])

    def nsec(self, owner: bytes, following: bytes, *types):
        return self.sign(owner, TYPES["NSEC"], 300, [following + nsec_types(*types)])


def labels_of(name: bytes):
    at = 0
    while name[at]:
        yield name[at:at + 1 + name[at]]
        at += 1 + name[at]


def raw_signature(der: bytes) -> bytes:
    """r and s out of a DER signature, 32 bytes each."""
    at, out = 2, b""
    for _ in range(2):
        size = der[at + 1]
        out += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
        at += 2 + size
    return out


def canned_tree(folder: Path):
    """Signed answers: {"NAME/TYPE": {"rcode", "an", "ns"}}; an entry "NAME/*" stands for every other type,
    "*.NAME" for every name below that has no entry of its own."""
    root = Zone("", folder)
    zones = {name: Zone(name, folder) for name in SIGNED}
    out = {}

    def put(name, rrtype, an=(), ns=(), rcode=0):
        enc = [[[base64.b64encode(o).decode(), t, ttl, base64.b64encode(r).decode()] for o, t, ttl, r in part]
               for part in (an, ns)]
        out[f"{name}/{rrtype}"] = {"rcode": rcode, "an": enc[0], "ns": enc[1]}

    tlds = sorted(UNSIGNED + SIGNED)
    put("", "DNSKEY", an=root.sign(b"\0", TYPES["DNSKEY"], 3600, [root.dnskey]))
    put("", "SOA", an=root.soa())
    put("", "NS", an=root.sign(b"\0", TYPES["NS"], 3600, [wire("ns")]))
    for i, tld in enumerate(tlds):
        if tld in zones:
            put(tld, "DS", an=root.sign(wire(tld), TYPES["DS"], 3600, [zones[tld].ds()]))
            continue
        following = wire(tlds[i + 1]) if i + 1 < len(tlds) else b"\0"
        put(tld, "DS", ns=root.soa() + root.nsec(wire(tld), following, "NS", "RRSIG", "NSEC"))
    for name, zone in zones.items():
        forged = name == "forged"
        www, apex = wire("www." + name), wire(name)
        put(name, "DNSKEY", an=zone.sign(apex, TYPES["DNSKEY"], 3600, [zone.dnskey]))
        put(name, "SOA", an=zone.soa())
        put(f"www.{name}", "A", an=zone.sign(www, TYPES["A"], 300, [bytes([198, 51, 100, 80])], forged))
        nodata = zone.nsec(www, apex, "A", "RRSIG", "NSEC")
        above = zone.nsec(apex, www, "NS", "SOA", "RRSIG", "NSEC", "DNSKEY")
        put(f"www.{name}", "*", ns=zone.soa() + nodata)
        put(name, "*", ns=zone.soa() + above)
        put(f"*.{name}", "*", ns=zone.soa() + above, rcode=3)
    (folder / "canned.json").write_text(json.dumps(out))
    tag, alg, digest = struct.unpack("!HBB", root.ds()[:4])
    (folder / "root.dnskey").write_text(f". IN DNSKEY 257 3 13 {base64.b64encode(root.dnskey[4:]).decode()}\n")
    (folder / "root.key").write_text(f". IN DS {tag} {alg} {digest} {root.ds()[4:].hex().upper()}\n")


def make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    make_certs(folder)
    canned_tree(folder)
    return folder


if __name__ == "__main__":
    import sys
    make(Path(sys.argv[1]))
