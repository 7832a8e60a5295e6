"""A cluster's zone as other people's programs see zones: signed while it answers, and taken whole."""
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.zone
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


# --- whole zones -----------------------------------------------------------------------------------------------------

TO = "transfer {{\n        to {}\n    }}"
KUBE_DNS = "kube-dns.kube-system.svc.cluster.local."


def taken(pod, *words):
    """The records as they come: owner, type, data."""
    text = pod.world.run("dig", "@127.0.0.1", "+noall", "+answer", ZONE, *words).stdout
    rows = [line.split(None, 4) for line in text.splitlines() if line]
    assert all(row[2] == "IN" and row[1] == "30" for row in rows), text
    return [(row[0], row[3], row[4]) for row in rows]


@pytest.fixture(scope="module")
def primary(keys):
    with Pod(keys, BASE.format(more=TO.format("*"))) as pod:
        pod.synced()
        wait_for(lambda: pod.ready() == 200, SOON, "ready")
        yield pod


def test_dig_takes_the_zone(primary):
    rows = taken(primary, "AXFR")
    assert rows[0][1] == "SOA" and rows[0] == rows[-1] and "SOA" not in [r[1] for r in rows[1:-1]]
    assert rows[1:3] == [(ZONE, "NS", KUBE_DNS), (KUBE_DNS, "A", "10.96.0.10")]
    assert len(set(rows)) == len(rows) - 1
    web, db = f"web.shop.svc.{ZONE}", f"db.data.svc.{ZONE}"
    assert {(web, "A", "10.96.10.11"), (web, "SRV", f"0 100 80 {web}"), (f"_http._tcp.{web}", "SRV", f"0 100 80 {web}"),
            (db, "A", "10.244.1.21"), (f"db-0.{db}", "A", "10.244.1.21"),
            (f"_pg._tcp.{db}", "SRV", f"0 50 5432 db-1.{db}"),
            (f"cart.shop.svc.{ZONE}", "AAAA", "fd00:10:96::c"),
            (f"ext.edge.svc.{ZONE}", "CNAME", "api.partner.example.")} <= set(rows)
    assert not [r for r in rows if "10.244.3.23" in r[2]]


def test_what_is_taken_is_what_is_answered(primary):
    """Record by record; of SRV the weights aside, which the name of the service shares out among all its ports."""
    query = dns.message.make_query(ZONE, "AXFR")
    with primary.world.net():
        zone = dns.zone.from_xfr(dns.query.xfr("127.0.0.1", ZONE, timeout=10, relativize=False), relativize=False)
        assert dns.query.udp(query, "127.0.0.1", timeout=5).rcode() == dns.rcode.REFUSED
    seen = 0

    def told(rdata):
        return rdata.to_text().split()[2:] if rdata.rdtype == dns.rdatatype.SRV else rdata.to_text()
    for name, rdataset in zone.iterate_rdatasets():
        answer = ask(primary.world, str(name), dns.rdatatype.to_text(rdataset.rdtype), tcp=True)
        found, = (r for r in answer.answer if r.rdtype == rdataset.rdtype)
        assert sorted(map(told, found)) == sorted(map(told, rdataset)) and found.ttl == rdataset.ttl, answer
        seen += 1
    assert seen > 15


def test_serials_and_changes(primary):
    from apiserver.watchable import service
    serial = taken(primary, "SOA")[0][2].split()[2]
    assert [r[1] for r in taken(primary, f"IXFR={serial}")] == ["SOA"]
    assert len(taken(primary, f"IXFR={int(serial) - 1}")) > 15
    primary.cluster.put(service("shop", "new", "10.96.10.99", ports=[("http", 80)]))
    primary.comes("new.shop.svc", ok("10.96.10.99"))
    rows = taken(primary, "AXFR")
    assert (f"new.shop.svc.{ZONE}", "A", "10.96.10.99") in rows
    assert rows[0] == rows[-1] and int(rows[0][2].split()[2]) >= int(serial)


@pytest.mark.parametrize("more,zone,want", [
    ("", ZONE, "REFUSED"), (TO.format("192.0.2.77"), ZONE, "REFUSED"), (TO.format("*"), "in-addr.arpa.", "NOTAUTH"),
    (TO.format("*"), f"shop.svc.{ZONE}", "NOTAUTH")])
def test_others_get_nothing(keys, more, zone, want):
    with Pod(keys, BASE.format(more=more)) as pod:
        pod.synced()
        wait_for(lambda: pod.ready() == 200, SOON, "ready")
        with pod.world.net():
            reply = dns.query.tcp(dns.message.make_query(zone, "AXFR"), "127.0.0.1", timeout=10)
        assert dns.rcode.to_text(reply.rcode()) == want and not reply.answer


def test_before_the_lists_nothing_is_handed_out(keys):
    with Pod(keys, BASE.format(more=TO.format("*")), start=False) as pod:
        with pod.world.net():
            reply = dns.query.tcp(dns.message.make_query(ZONE, "AXFR"), "127.0.0.1", timeout=10)
        assert reply.rcode() == dns.rcode.SERVFAIL


@needs("knotd")
def test_a_large_zone_goes_to_another_server(keys):
    """5,000 endpoints in 50 slices, which are many messages."""
    from apiserver.shop import shop
    from apiserver.watchable import endpoint, endpoint_slice, service
    many = [service("data", "many", "None", ports=[("p", 1)])]
    many += [endpoint_slice("data", f"many-{i}", "many", [endpoint(f"10.9.{i}.{k}") for k in range(100)], [("p", 1)])
             for i in range(50)]
    with Pod(keys, BASE.format(more=TO.format("*")), [*shop(), *many]) as pod:
        pod.synced()
        wait_for(lambda: pod.ready() == 200, SOON, "ready")
        rows = taken(pod, "AXFR")
        assert len([r for r in rows if r[0].endswith(f"many.data.svc.{ZONE}")]) == 5000 * 3
        assert len(set(rows)) == len(rows) - 1
        folder = pod.world.path("/etc/knot")
        folder.mkdir(parents=True)
        pod.world.write("/etc/knot/knot.conf", f"""server:
    listen: 127.0.0.3@5353
    rundir: /etc/knot
    user: root
database:
    storage: /etc/knot
remote:
  - id: primary
    address: 127.0.0.1
zone:
  - domain: {ZONE}
    storage: /etc/knot
    master: primary
""")
        pod.world.popen(["knotd", "-c", "/etc/knot/knot.conf"], stderr=subprocess.DEVNULL)

        def there():
            answer = ask(pod.world, f"10-9-49-99.many.data.svc.{ZONE}", server="127.0.0.3", port=5353, timeout=2.0)
            return answer is not None and values(answer) == ["10.9.49.99"]
        wait_for(there, SOON, "the zone at knotd")
