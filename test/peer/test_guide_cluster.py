"""The guide's Corefiles, each unchanged, under the name coredns in a namespace: test hosts stand at 8.8.8.8 and 8.8.4.4
and have the signed tree of a root of their own. That root is none that is built in, so what `dnssec { validate }` says
of it is that its keys are not those of the anchor (EDE 9), until the anchors file says otherwise; the file without
validation gives the same names as they come, without AD."""
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import dns.flags
import dns.rdatatype as T
import pytest

pytest.importorskip("cryptography")
import test_validation_cases as cases  # noqa: E402
import twist as twists  # noqa: E402
from ask import rcode  # noqa: E402
from coredns import FOLDER, Coredns, total  # noqa: E402
from evilauth import Lab  # noqa: E402
from ns import wait_for  # noqa: E402
from verdict import is_bogus, is_insecure, is_secure  # noqa: E402

pytestmark = pytest.mark.ours("CoreDNS does not validate")
DATA = Path(__file__).resolve().parent / "data" / "corefile"
UPSTREAMS = {"8.8.8.8": "cloudflare", "8.8.4.4": "cloudflare"}
GUIDE = sorted(p.name for p in DATA.glob("[0-9]*.Corefile"))
VALIDATING = [name for name in GUIDE if "validate" in (DATA / name).read_text()]
ANCHORS = f"{FOLDER}/anchors/anchors"
AD = dns.flags.RD | dns.flags.AD


class Cluster(Lab):
    """One of the guide's files in service."""

    def __init__(self, keys, name, anchors="", own_root=False, twist=()):
        super().__init__(keys, hosts_at=UPSTREAMS, start=False)
        try:
            if twist:
                self.twist(".", None, lambda m: twists.without(m, lambda s: s.rdtype in twist), below=True)
            self.world.write("/etc/resolv.conf", "nameserver 8.8.8.8\nnameserver 8.8.4.4\n")
            self.world.write(ANCHORS, self.evil.tree.anchor() if own_root else anchors)
            self.text = (DATA / name).read_text() if name in GUIDE else name
            self.server = Coredns(self.world, self.text)
        except BaseException:
            self.world.close()
            raise

    def page(self, port, path):
        """The status and text of a page of the program's."""
        with self.world.net():
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5)
            except urllib.error.HTTPError as e:
                answer = e
            return answer.status, answer.read().decode()


def has(lab, word):
    return re.search(rf"^\s*{word}\b", lab.text, re.M) is not None


@pytest.mark.parametrize("name", GUIDE)
def test_each_serves_what_it_names(keys, name):
    with Cluster(keys, name) as lab:
        assert lab.server.lines(r"^\.:53$") and lab.server.lines("^CoreDNS-")
        if has(lab, "health"):
            assert lab.page(8080, "/health") == (200, "OK")
        if has(lab, "ready"):
            status, text = lab.page(8181, "/ready")
            assert (status, text.strip()) == ((503, "kubernetes") if has(lab, "kubernetes") else (200, "OK"))
        if has(lab, "kubernetes"):
            assert rcode(lab.ask("kubernetes.default.svc.cluster.local.")) == "SERVFAIL"
            lab.server.wait_log("plugin/kubernetes: starting server with unsynced Kubernetes API", 20)
        z = cases.usual(lab)
        answer = lab.ask(z.name("www"))
        if "validate" in lab.text:
            is_bogus(answer, 9)
        else:
            assert rcode(answer) == "NOERROR" and not answer.flags & dns.flags.AD
        if has(lab, "prometheus"):
            page = lab.server.metrics()
            assert total(page, "coredns_dns_requests_total", server="dns://:53", zone=".") >= 2
            assert total(page, "coredns_dns_responses_total", rcode="SERVFAIL") >= 1
            if shutil.which("promtool"):
                text = lab.page(9153, "/metrics")[1].encode()
                done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False)
                assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


@pytest.mark.parametrize("name", [n for n in VALIDATING if re.search(r"^\s*log\b", (DATA / n).read_text(), re.M)])
def test_failures_are_found_in_the_log_as_the_guide_looks_for_them(keys, name):
    """`grep -i dnssec` and `grep -A5 SERVFAIL`."""
    with Cluster(keys, name) as lab:
        z = cases.usual(lab)
        is_bogus(lab.ask(z.name("www")), 9)
        asked = re.escape(str(z.name("www")))
        wait_for(lambda: lab.server.lines(rf"(?i)dnssec.*{asked}"), 10, "a line with dnssec and the name")
        wait_for(lambda: lab.server.lines(rf"{asked}.*SERVFAIL"), 10, "a line with the name and SERVFAIL")


def test_the_anchors_file_joins_and_is_exchanged_as_a_configmap_is(keys):
    """03 with 02-anchors: bogus under this root, secure once its DS is appended and the link is exchanged."""
    sample = (". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n\n"
              "# Custom trust anchor for internal zone\n"
              "internal. IN DS 12345 8 2 ABCD1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890AB\n")
    with Cluster(keys, "03-trust-anchor.Corefile", anchors=sample) as lab:
        assert lab.server.lines(r"anchors:4: the digest of this DS for internal\. repeats itself")
        internal = lab.evil.tree.zone("internal.")
        internal.add(internal.name("www"), "A", cases.ADDR)
        z = cases.usual(lab)
        is_bogus(lab.ask(z.name("www")), 9)
        folder = lab.world.path(f"{FOLDER}/anchors")
        fresh = folder.parent / "..data-2"
        fresh.mkdir()
        (fresh / "anchors").write_text(sample + lab.evil.tree.anchor())
        link = folder.parent / "anchors.new"
        link.symlink_to(fresh.name)
        folder.rename(folder.parent / "before")
        os.replace(link, folder)
        wait_for(lambda: rcode(lab.ask(z.name("alias"))) == "NOERROR", 70, "the root's DS")
        fine = cases.usual(lab)
        is_secure(lab.ask(fine.name("www"), flags=AD))
        is_bogus(lab.ask(internal.name("www")), 9)


RECORDS = {"signatures": (T.RRSIG,), "proofs": (T.RRSIG, T.NSEC, T.NSEC3),
           "everything": (T.RRSIG, T.NSEC, T.NSEC3, T.DNSKEY, T.DS)}
STRIPPED = ((DATA / "03-trust-anchor.Corefile").read_text()
            .replace("    errors\n", "    errors\n    prometheus :9153\n")
            .replace("forward . 8.8.8.8 8.8.4.4", "forward . /etc/resolv.conf"))


def gauge(lab):
    return {k: v for k, v in lab.server.metrics().items() if k.startswith("signet_upstream_dnssec_ok{")}


@pytest.mark.parametrize("kind", RECORDS)
def test_a_nodes_resolver_that_strips(keys, kind):
    """It knows nothing of DO. The pod gets SERVFAIL and the reason, also for what is unsigned, as nothing proves that;
    whoever runs the cluster gets one line for each server, with the cure, and a gauge."""
    with Cluster(keys, STRIPPED, own_root=True, twist=RECORDS[kind]) as lab:
        zones = [cases.usual(lab) for _ in range(6)]
        plain = lab.zone(denial=None)
        plain.add(plain.name("www"), "A", cases.ADDR)
        for z in zones + [plain]:
            is_bogus(lab.ask(z.name("www")), 9, 10, 12)
            assert rcode(lab.ask(z.name("www"), want_dnssec=False)) == "SERVFAIL"
        said = lab.server.wait_log("strips or breaks DNSSEC", 20, count=2)
        for address, line in zip(UPSTREAMS, sorted(said, reverse=True)):
            assert re.match(rf"\[ERROR\] .*upstream {re.escape(address)}[:@]53 ", line), line
            assert "name one in its place that hands signatures on" in line
        assert len(lab.server.lines(r"\[ERROR\].*(strip|DNSSEC)")) == 2, "no noise for each name"
        rows = gauge(lab)
        assert len(rows) == 2 and set(rows.values()) == {0}, rows


def test_the_twin_a_nodes_resolver_that_hands_signatures_on(keys):
    with Cluster(keys, STRIPPED, own_root=True) as lab:
        is_secure(lab.ask(cases.usual(lab).name("www"), flags=AD))
        plain = lab.zone(denial=None)
        plain.add(plain.name("www"), "A", cases.ADDR)
        is_insecure(lab.ask(plain.name("www")))
        rows = wait_for(lambda: gauge(lab), 10, "the gauge")
        assert len(rows) == 2 and set(rows.values()) == {1}, rows
        assert not lab.server.lines("ERROR")


@pytest.mark.parametrize("what", cases.BROKEN)
def test_under_a_trusted_root(trusted, what):
    """With this root's DS in the anchors file: AD for what is proved, SERVFAIL and the reason for what is not."""
    lab = trusted
    cases.test_v03_to_v08_broken_and_why(lab, what)
    is_secure(lab.ask(cases.usual(lab).name("www"), want_dnssec=False, flags=AD))
    plain = lab.ask(cases.usual(lab).name("www"), want_dnssec=False)
    assert rcode(plain) == "NOERROR" and not plain.flags & dns.flags.AD


@pytest.fixture(scope="module")
def trusted(keys):
    with Cluster(keys, "03-trust-anchor.Corefile", own_root=True) as made:
        yield made
