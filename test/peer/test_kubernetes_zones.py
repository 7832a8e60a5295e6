"""A cluster's zone as other people's programs see zones: signed while it answers, and taken whole."""
import subprocess

import dns.flags
import dns.rdatatype
import pytest

pytest.importorskip("cryptography")
from ask import ask, rcode, values  # noqa: E402
from conftest import needs  # noqa: E402
from coredns import FOLDER  # noqa: E402
from ns import wait_for  # noqa: E402
from test_kubernetes_live import SOON, Pod, ok  # noqa: E402
from test_signer import nsec_of, proved, rrsets  # noqa: E402

pytestmark = [pytest.mark.ours("not CoreDNS"), needs("dig", "delv", "dnssec-keygen")]
ZONE = "cluster.local."
BASE = """.:53 {{
    errors
    ready
    {more}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        ttl 30
    }}
}}
"""


class Signed(Pod):
    """With a key pair of the zone that is there before the program starts."""

    def __init__(self, keys, more=""):
        own = f"dnssec cluster.local {{\n        key file {FOLDER}/zone\n    }}"
        super().__init__(keys, BASE.format(more=own + more))
        self.synced()

    def account(self, token=None):
        super().account()
        folder = self.world.path(FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        made = subprocess.run(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", ZONE], cwd=folder,
                              capture_output=True, text=True, check=True).stdout.strip()
        for suffix in ("key", "private"):
            (folder / f"{made}.{suffix}").rename(folder / f"zone.{suffix}")
        words = (folder / "zone.key").read_text().splitlines()[-1].split(None, 6)
        self.world.write("/etc/delv.keys", f'trust-anchors {{ {ZONE} static-key {words[3]} {words[4]} {words[5]} '
                                           f'"{words[6]}"; }};\n')

    def delv(self, *words):
        done = self.world.run("delv", "-a", "/etc/delv.keys", f"+root={ZONE}", "@127.0.0.1", *words)
        return done.stdout + done.stderr

    def ask(self, name, rrtype="A"):
        return ask(self.world, f"{name}.{ZONE}".lstrip("."), rrtype, want_dnssec=True)


@pytest.fixture(scope="module")
def signed(keys):
    with Signed(keys) as pod:
        yield pod


@pytest.mark.parametrize("name,rrtype,want", [
    ("web.shop.svc", "A", "10.96.10.11"), ("cart.shop.svc", "AAAA", "fd00:10:96::c"),
    ("WEB.Shop.svc", "A", "10.96.10.11"), ("db.data.svc", "A", "10.244.2.22"),
    ("db-0.db.data.svc", "A", "10.244.1.21"), ("10-244-9-9.quiet.pod", "A", "10.244.9.9"),
    ("_http._tcp.web.shop.svc", "SRV", "0 100 80 web.shop.svc.cluster.local."),
    ("_pg._tcp.db.data.svc", "SRV", "0 50 5432 db-0.db.data.svc.cluster.local."),
    ("dns-version", "TXT", '"1.1.0"'), ("", "SOA", "ns.dns.cluster.local. hostmaster.cluster.local."),
    ("", "NS", "kube-dns.kube-system.svc.cluster.local.")])
def test_what_is_there_is_proved(signed, name, rrtype, want):
    said = signed.delv(f"{name}.{ZONE}".lstrip("."), rrtype)
    assert "; fully validated" in said and want in said, said
    message = signed.ask(name, rrtype)
    owner = f"{name}.{ZONE}".lstrip(".").lower()
    found = {(owner_.lower(), kind) for owner_, kind in proved(signed.world, message, ZONE)}
    assert (owner, rrtype) in found and message.flags & dns.flags.AA, message


@pytest.mark.parametrize("name,rrtype", [
    ("nosuch.shop.svc", "A"), ("web.nosuch.svc", "A"), ("nothing", "TXT"), ("_nope._tcp.web.shop.svc", "SRV"),
    ("x.y.z.w.v.web.shop.svc", "A"), ("web.shop.svc", "AAAA"), ("web.shop.svc", "TXT"), ("shop.svc", "A"),
    ("svc", "A"), ("", "MX"), ("dns-version", "A"), ("web.shop.svc", "DS"), ("db.data.svc", "AAAA")])
def test_what_is_not_there_is_proved_compactly(signed, name, rrtype):
    said = signed.delv(f"{name}.{ZONE}".lstrip("."), rrtype)
    assert "negative response, fully validated" in said, said
    message = signed.ask(name, rrtype)
    full = f"{name}.{ZONE}".lstrip(".")
    assert rcode(message) == "NOERROR" and not message.answer, message
    assert proved(signed.world, message, ZONE) == {(ZONE, "SOA"), (full, "NSEC")}
    owner, data = nsec_of(message)
    assert owner == full and data.split()[0] == f"\\000.{full}" and rrtype not in data.split()[1:], data


def test_an_alias_out_of_the_cluster_is_proved(signed):
    """As far as it is the cluster's."""
    message = signed.ask("ext.edge.svc", "CNAME")
    assert (f"ext.edge.svc.{ZONE}", "CNAME") in proved(signed.world, message, ZONE)
    assert "fully validated" in signed.delv(f"ext.edge.svc.{ZONE}", "CNAME")


def test_without_do_and_under_other_zones_nothing_is_signed(signed):
    assert signed.dig("web.shop.svc") == ok("10.96.10.11")
    assert signed.dig("nosuch.shop.svc") == ("NXDOMAIN", [])
    plain = ask(signed.world, f"web.shop.svc.{ZONE}", "A")
    assert not [r for r in rrsets(plain) if r.rdtype == dns.rdatatype.RRSIG]
    reverse = ask(signed.world, "11.10.96.10.in-addr.arpa.", "PTR", want_dnssec=True)
    assert values(reverse, "PTR") and not [r for r in rrsets(reverse) if r.rdtype == dns.rdatatype.RRSIG]


def test_a_change_is_signed_anew(keys):
    """Out of a cache too: what was signed before is not said of what is there now."""
    from apiserver.watchable import service
    with Signed(keys, more="\n    cache 2") as pod:
        assert "10.96.10.11" in pod.delv(f"web.shop.svc.{ZONE}")
        pod.cluster.put(service("shop", "web", "10.96.10.77", ports=[("http", 80)]))
        pod.comes("web.shop.svc", ok("10.96.10.77"))

        def new():
            said = pod.delv(f"web.shop.svc.{ZONE}")
            assert "; fully validated" in said, said
            return "10.96.10.77" in said
        wait_for(new, SOON, "the new address, signed")
