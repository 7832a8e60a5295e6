"""What a Corefile's `dnssec { validate }` does: the cases of test_validation_cases.py under the name coredns, and those
that only its own words have."""
import os
import re
import signal
import urllib.request

import dns.flags
import pytest

pytest.importorskip("cryptography")
import costly  # noqa: E402
import test_validation_cases as cases  # noqa: E402
import twist  # noqa: E402
from ask import ede, rcode, values  # noqa: E402
from evilauth import Lab  # noqa: E402
from evilzone import Key  # noqa: E402
from ns import wait_for  # noqa: E402
from server import Server  # noqa: E402
from verdict import is_bogus, is_insecure, is_secure  # noqa: E402

pytestmark = pytest.mark.ours("CoreDNS does not validate")
RD, AD, CD = dns.flags.RD, dns.flags.AD, dns.flags.CD
FOLDER = "/etc/coredns"
ANCHORS = f"{FOLDER}/anchors/anchors"
ADDR = cases.ADDR


class Block(Lab):
    """One server block for all names; words: more lines of its dnssec."""

    def __init__(self, keys, words=(), more="", anchors=None, start=True):
        super().__init__(keys, start=False)
        try:
            self.world.write(ANCHORS, "# the root of this world\n" + self.evil.tree.anchor()
                             if anchors is None else anchors)
            if start:
                self.start(words, more)
        except BaseException:
            self.world.close()
            raise

    def start(self, words=(), more="", validate="validate", cache="cache 30", **how):
        lines = "".join(f"        {w}\n" for w in (validate, f"trust-anchor {ANCHORS}", *words))
        text = (f".:53 {{\n    errors\n    dnssec {{\n{lines}    }}\n    forward . 1.1.1.1\n    {cache}\n"
                f"    prometheus 127.0.0.1:9153\n{more}}}\n")
        self.server = Server(self.world, conf=text, file="Corefile", folder=FOLDER,
                             argv=[self.world.borrowed("coredns"), "-conf", "Corefile"], **how)
        return self.server

    def numbers(self):
        with self.world.net():
            page = urllib.request.urlopen("http://127.0.0.1:9153/metrics", timeout=5).read().decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^(\w+\{[^}]*\}) (\S+)$", page, re.M)}


@pytest.fixture(scope="module")
def lab(keys):
    with Block(keys, ["log-failures"]) as made:
        yield made


@pytest.mark.parametrize("want_dnssec,flags,shown", [
    (True, RD, True), (False, RD | AD, True), (True, RD | AD, True), (False, RD, False)])
def test_v01_secure_is_shown_to_who_asks(lab, want_dnssec, flags, shown):
    cases.test_v01_secure_is_shown_to_who_asks(lab, want_dnssec, flags, shown)


@pytest.mark.parametrize("what", cases.BROKEN)
def test_v03_to_v08_broken_and_why(lab, what):
    cases.test_v03_to_v08_broken_and_why(lab, what)


@pytest.mark.parametrize("iterations", [0, 50, 151])
def test_v10_iterations(lab, iterations):
    cases.test_v10_iterations(lab, iterations)


@pytest.mark.parametrize("denial", ["nsec", "nsec3"])
def test_v12_wildcards(lab, denial):
    cases.test_v12_wildcards(lab, denial)


@pytest.mark.parametrize("case", [
    cases.test_v02_below_an_insecure_delegation, cases.test_v09_opt_out, cases.test_v11_only_unknown_algorithms,
    cases.test_v13_a_chain_is_as_good_as_its_worst_link, cases.test_v14_checking_disabled, cases.test_v15_dname],
    ids=lambda case: case.__name__[5:])
def test_the_same_case(lab, case):
    case(lab)


def test_v16_keytrap(lab):
    name, rrtype = costly.keytrap(50, 50)(lab)
    is_bogus(lab.ask(name, rrtype), 6)
    is_secure(lab.ask(cases.usual(lab).name("www")))


def swap(world, text):
    """As the kubelet does it: another folder, and a link that is exchanged."""
    folder = world.path(f"{FOLDER}/anchors")
    fresh = f"..data-{len(list(folder.parent.glob('..data-*')))}"
    (folder.parent / fresh).mkdir()
    (folder.parent / fresh / "anchors").write_text(text)
    link = folder.parent / "anchors.new"
    link.symlink_to(fresh)
    if folder.is_dir() and not folder.is_symlink():
        folder.rename(folder.parent / "before")
    os.replace(link, folder)


def test_v17_anchors_join_and_come_by_reload(keys):
    """Under a root that neither the file nor the program knows nothing is proved (EDE 9), until that root's DS is
    appended and the ConfigMap's link exchanged. Garbage changes nothing."""
    with Block(keys, start=False, anchors=cases.ds_line(Key()) + "\n") as lab:
        z = cases.usual(lab)
        root = lab.evil.tree.anchor()
        lab.start(more="    reload 2s 1s\n")
        is_bogus(lab.ask(z.name("www")), 9)
        swap(lab.world, f"# two of them\n{cases.ds_line(Key())}\n{root.strip()} ; this world's\n")
        lab.server.wait_log("Reloading complete", 20)
        is_secure(lab.ask(z.name("www")))      # no failure is kept that other anchors were the reason of
        is_secure(lab.ask(cases.usual(lab).name("www")))
        swap(lab.world, "this is no anchor\n")
        lab.server.wait_log("reload failed: .*anchors:1 - .*unknown record type", 20)
        is_secure(lab.ask(cases.usual(lab).name("www")))


def test_what_other_anchors_decided_is_not_kept(keys):
    """Neither a failure, however long the file keeps those, nor what was taken for unsigned."""
    with Block(keys, start=False, anchors=cases.ds_line(Key()) + "\n") as lab:
        z = cases.usual(lab)
        lab.start(cache="cache 300 {\n        servfail 5m\n    }")
        is_bogus(lab.ask(z.name("www")), 9)
        lab.world.write(ANCHORS, lab.evil.tree.anchor())
        os.kill(lab.server.pid, signal.SIGUSR1)
        lab.server.wait_log("Reloading complete", 20)
        is_secure(lab.ask(z.name("www")))
        os.kill(lab.server.pid, signal.SIGUSR1)
        lab.server.wait_log("Reloading complete", 20, count=2)
        asked = lab.evil.count(z.name("www"))
        is_secure(lab.ask(z.name("www")))
        assert lab.evil.count(z.name("www")) == asked, "the same anchors: what is kept is good"


@pytest.mark.parametrize("text", ["garbage\n", ". IN A 192.0.2.1\n", None])
def test_v17_a_file_that_is_none_ends_the_start(keys, text):
    with Block(keys, start=False, anchors=text or "") as lab:
        if text is None:
            os.unlink(lab.world.path(ANCHORS))
        lab.start(ready=False)
        assert lab.server.process.wait(10) == 1 and "anchors" in lab.server.stderr(), lab.server.stderr()
        lab.world.write(ANCHORS, lab.evil.tree.anchor())
        lab.start()


def test_v18_an_anchor_that_fits_nothing_breaks_what_is_below_it_alone(keys):
    made_up = "internal. IN DS 12345 8 2 ABCD1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890AB\n"
    with Block(keys, start=False) as lab:
        for apex in ("internal.", "public."):
            z = lab.tree.zone(apex)
            z.add(z.name("www"), "A", ADDR)
        lab.world.write(ANCHORS, lab.evil.tree.anchor() + made_up)
        lab.start()
        is_bogus(lab.ask("www.internal."), 9)
        is_secure(lab.ask("www.public."))
        is_secure(lab.ask("internals."), "NXDOMAIN")
        assert lab.server.lines(r"DS for internal\. repeats itself"), lab.server.stderr()


def test_v19_insecure_hands_on_and_says_so(keys):
    with Block(keys, ["insecure", "log-failures"]) as lab:
        assert lab.server.lines("insecure: answers that cannot be proved")
        _, name, _ = cases.broken(lab, "forged")
        for _ in range(2):
            m = lab.ask(name)
            assert rcode(m) == "NOERROR" and values(m) == ["6.6.6.6"] and not m.flags & AD
        assert lab.server.wait_log(f"dnssec: {re.escape(name)} A cannot be proved")
        is_secure(lab.ask(cases.usual(lab).name("www")))


def test_v20_names_of_home_are_not_judged_by_the_root(lab):
    for apex in ("cluster.local.", "home.arpa.", "10.in-addr.arpa.", "other-tld."):
        z = lab.tree.zone(apex)
        z.add(z.name("www"), "A", ADDR)
        lab.twist(z.name("www"), "A", twist.forged)
        if apex == "other-tld.":
            is_bogus(lab.ask(z.name("www")), 6)
        else:
            assert values(is_insecure(lab.ask(z.name("www")))) == ["6.6.6.6"]


def test_v21_a_line_with_all_there_is_to_know(lab):
    z, name, code = cases.broken(lab, "expired")
    for _ in range(3):
        lab.ask(name)
    lines = lab.server.wait_log(f"dnssec: {re.escape(name)} A ")
    assert len(lines) == 1 and "expired" in lines[0] and f"EDE {code}" in lines[0] and str(z.apex) in lines[0], lines
    assert re.search(r"key \d+", lines[0])


def test_v22_numbers_add_up(keys):
    with Block(keys) as lab:
        z, plain = cases.usual(lab), cases.usual(lab, denial=None)
        _, bad, _ = cases.broken(lab, "forged")
        for name in (z.name("www"), z.name("alias"), z.name("nx"), plain.name("www"), bad):
            lab.ask(name)
        got = lab.numbers()
        server = 'server="dns://:53"'

        def of(name, labels=""):
            return got[f"coredns_dnssec_{name}{{{server}{labels}}}"]
        hits, misses = of("cache_hits_total"), of("cache_misses_total")
        assert of("cache_requests_total") == hits + misses and hits > 0 and misses > 0
        assert of("cache_entries", ',type="key"') > 0
        assert of("validations_total", ',result="secure"') >= 3
        assert of("validations_total", ',result="insecure"') >= 1
        assert of("validations_total", ',result="bogus"') >= 1
        assert of("failures_total", ',reason="signature_crypto_failed"') >= 1
        for i in range(30):
            z.add(z.name(f"h{i}"), "A", ADDR)
            is_secure(lab.ask(z.name(f"h{i}")))
        got = lab.numbers()
        assert of("cache_hits_total") / of("cache_requests_total") > 0.5


@pytest.mark.skipif(not cases.FAKETIME.exists(), reason="not installed: libfaketime")
def test_v24_a_clock_that_is_off(keys):
    if os.environ.get("SIGNET_SANITIZED") == "1":
        pytest.skip("the sanitizers do not stand another preloaded library")
    with Block(keys, start=False) as lab:
        first, early, late = cases.usual(lab), cases.usual(lab), cases.usual(lab)
        lab.world.write("/etc/faketime", "+0")
        lab.start(["log-failures"], env=cases.FAKED)
        is_secure(lab.ask(first.name("www")))
        for z, off, code in ((early, -cases.YEAR, 8), (late, cases.YEAR, 7)):
            lab.world.write("/etc/faketime", f"{off:+d}")
            is_bogus(lab.ask(z.name("www")), code)
            lab.world.write("/etc/faketime", "+0")
            is_secure(lab.ask(z.name("www"), "AAAA"))


def test_v25_an_upstream_without_edns(keys):
    """It proves nothing, and that is told of it; the twin without validation is served all the same."""
    with Block(keys, start=False) as lab:
        z = cases.usual(lab)
        lab.evil.edns = False
        lab.start(["log-failures"])
        is_bogus(lab.ask(z.name("www")))
        lab.server.wait_log("strips or breaks DNSSEC", 20)
        lab.server.stop()
        text = ".:53 {\n    forward . 1.1.1.1\n    cache 30\n}\n"
        lab.server = Server(lab.world, conf=text, file="Corefile", folder=FOLDER,
                            argv=[lab.world.borrowed("coredns"), "-conf", "Corefile"])
        assert values(lab.ask(z.name("www"), want_dnssec=False)) == [ADDR]


def test_without_validate_ad_is_not_handed_on(keys):
    with Block(keys, start=False) as lab:
        z = cases.usual(lab)
        lab.start(validate="")
        m = lab.ask(z.name("www"), flags=RD | AD)
        assert values(m) == [ADDR] and not m.flags & AD and not ede(m)
