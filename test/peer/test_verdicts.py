"""Verdicts on zones made at random: ours, those of delv and of unbound-host, before one server."""
import json
import random
import re
import shutil
import subprocess

import dns.rdata
import dns.zone
import pytest

import ns
import signedtree
from signedtree import Tree, Zones

SEEDS = (1, 2)
ZONES = 8            # of one seed
NAMES = 7            # asked of each
FAULTS = ("good", "good", "good", "good", "unsigned", "expired", "early", "forged", "stripped", "keyless", "other-ds",
          "no-ds", "spare-ds", "two", "proofless", "strange-ds")
DENIALS = (None, (0, "-", ()), (1, "aabb", ("-A",)))
ALGORITHMS = ("ECDSAP256SHA256", "ED25519", "RSASHA256")
PAST = ("-P", "-s", "20200101000000", "-e", "20200201000000")
FUTURE = ("-P", "-s", "20300101000000", "-e", "20300201000000")
missing = [t for t in ("delv", "unbound-host", "named") if not shutil.which(t)] + signedtree.tools_missing()
pytestmark = [pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}"),
              pytest.mark.skipif(not ns.program().exists(), reason="no program to test (make builds it)")]


class Made(Zones):
    """Zones of one seed, and what was done to each."""

    def __init__(self, folder, seed):
        self.dice, self.fault, self.opt_out = random.Random(seed), {}, set()
        super().__init__(folder)

    def text(self, zone, others):
        alias = self.dice.choice(others)
        return (f"$ORIGIN {zone}.\n$TTL 300\n@ IN SOA ns h 1 2 3 4 60\n@ IN NS ns\nns IN A 127.0.0.1\n"
                f"www IN A 192.0.2.1\nwww IN A 192.0.2.2\na.ent IN TXT \"x\"\n*.wild IN A 192.0.2.3\n"
                f"alias IN CNAME www.{alias}.\n*.made IN CNAME www.{alias}.\nren IN DNAME wild\n"
                f"sub IN NS ns.sub\nns.sub IN A 127.0.0.1\n")

    def edit(self, zone, how):
        path = self.zones[zone]
        made = dns.zone.from_file(str(path), origin=f"{zone}.", relativize=False)
        how(made)
        made.to_file(str(path), relativize=False)

    def spoil(self, zone, fault, ds):
        """What the owner, or the parent with the DS in hand, did wrong; the DS lines that the parent has."""
        apex = f"{zone}."
        if fault == "forged":
            path = self.zones[zone]
            path.write_text(path.read_text().replace("192.0.2.1\n", "6.6.6.6\n"))
        if fault == "stripped":
            self.edit(zone, lambda z: z.delete_rdataset(f"www.{apex}", "RRSIG", "A"))
        if fault == "keyless":
            self.edit(zone, lambda z: (z.delete_rdataset(apex, "DNSKEY"), z.delete_rdataset(apex, "RRSIG", "DNSKEY")))
        if fault == "proofless":
            def unproved(z):
                for name in list(z.nodes):
                    for covers in ("NSEC", "NSEC3"):
                        z.delete_rdataset(name, "RRSIG", covers)
            self.edit(zone, unproved)
        fields = ds.split()
        if fault == "other-ds":
            return " ".join(fields[:6]) + " " + "00" * 32 + "\n"
        if fault == "spare-ds":
            return ds + f"{apex} IN DS 4711 13 2 {'AB' * 32}\n"
        if fault == "strange-ds":
            return f"{apex} IN DS 4711 200 2 {'AB' * 32}\n"
        return "" if fault == "no-ds" else ds

    def make(self):
        names = [f"z{i}" for i in range(ZONES)]
        ds = ""
        for zone in names:
            fault = self.fault[zone] = self.dice.choice(FAULTS)
            self.plain(f"sub.{zone}")
            if fault == "unsigned":
                self.plain(zone)
                self.zones[zone].write_text(self.text(zone, names))
                continue
            words = PAST if fault == "expired" else FUTURE if fault == "early" else ()
            algorithm = self.dice.choice(ALGORITHMS)
            if fault == "two":   # keys of a second algorithm are there before the zone is signed
                for flags in ((), ("-f", "KSK")):
                    signedtree.run("dnssec-keygen", "-q", "-a", "ECDSAP384SHA384", *flags, f"{zone}.", cwd=self.folder)
            denial = self.dice.choice(DENIALS)
            if denial and denial[2]:
                self.opt_out.add(zone)
            lines = self.sign(zone, self.text(zone, names), algorithm, denial, words)
            ds += self.spoil(zone, fault, lines)
        cuts = "".join(f"{z} IN NS ns.{z}\nns.{z} IN A 127.0.0.1\n" for z in names)
        self.root_ds = self.sign("", "$ORIGIN .\n$TTL 300\n. IN SOA ns. h. 1 2 3 4 60\n. IN NS ns.\n"
                                 f"ns. IN A 127.0.0.1\n{cuts}{ds}")


@pytest.fixture(scope="module", params=SEEDS)
def tree(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(f"seed{request.param}")
    zones = Made(folder, request.param)
    made = Tree(zones, folder, "named")
    made.seed, made.made, made.faults, made.dice = request.param, zones, zones.fault, zones.dice
    fields = zones.root_ds.split()
    at = fields.index("DS")
    tag, alg, digest, text = *fields[at + 1:at + 4], "".join(fields[at + 4:])
    made.anchors = folder / "anchors"
    made.anchors.write_text(f'trust-anchors {{ "." static-ds {tag} {alg} {digest} "{text}"; }};\n')
    made.conf = folder / "unbound-host.conf"
    made.conf.write_text(f'server:\n trust-anchor: ". DS {tag} {alg} {digest} {text}"\n do-not-query-localhost: no\n'
                         f' target-fetch-policy: "0 0 0 0 0"\nforward-zone:\n name: "."\n'
                         f" forward-addr: 127.0.0.1@{made.port}\n")
    yield made
    made.end()


def run(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


def ours(tree, name, rrtype):
    done = run(ns.program(), "verify", "--server", f"127.0.0.1@{tree.port}", "--anchor", tree.anchors,
               "--no-builtin-anchors", "--json", name, rrtype)
    return json.loads(done.stdout)["verdict"]


def delvs(tree, name, rrtype):
    done = run("delv", "@127.0.0.1", "-p", str(tree.port), "-a", tree.anchors, name, rrtype)
    failed = re.search(r"resolution failed: (?!ncache)", done.stderr)
    return "bogus" if failed else "insecure" if "unsigned answer" in done.stdout else "secure"


def unbounds(tree, name, rrtype):
    out = run("unbound-host", "-C", tree.conf, "-v", "-t", rrtype, name).stdout
    return "bogus" if "(BOGUS" in out else "insecure" if "(insecure)" in out else "secure" if "(secure)" in out else out


def asked(tree):
    kinds = [("www", "A"), ("www", "AAAA"), ("nx", "A"), ("any.wild", "A"), ("any.wild", "MX"), ("alias", "A"),
             ("some.made", "A"), ("x.ren", "A"), ("ent", "A"), ("www.sub", "A"), ("nx.sub", "A"), ("sub", "DS")]
    for zone in sorted(tree.faults):
        for label, rrtype in tree.dice.sample(kinds, NAMES):
            yield f"{label}.{zone}", rrtype


def is_known(tree, said):
    """delv takes an opt-out span's word that a wildcard answers; RFC 5155 9.2 does not, and Unbound neither."""
    return tree.made.opt_out and said == ("insecure", "secure", "insecure")


def test_three_agree(tree):
    differ, seen = [], set()
    for name, rrtype in asked(tree):
        said = ours(tree, name, rrtype), delvs(tree, name, rrtype), unbounds(tree, name, rrtype)
        seen.add(said[0])
        if len(set(said)) > 1 and not is_known(tree, said):
            differ.append((tree.faults[name.split(".")[-1]], name, rrtype, *said))
    assert seen == {"secure", "insecure", "bogus"}, seen
    assert not differ, "\n".join(map(str, differ))
