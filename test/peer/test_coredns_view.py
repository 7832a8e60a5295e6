"""view of a Corefile: several server blocks for the same zones, told apart by who asks and for what; and the small
plugins that tests and the impatient want: erratic, cancel, multisocket."""
import re
import time
import urllib.request

import pytest

import ns
from test_coredns_plugins import FOLDER, Asked, corefile, refused, start


def block(zone, address, *lines):
    return corefile(*lines, f"hosts {{\n{address} x.example.org x.test\n}}", zone=zone)


def view(name, expr):
    return [f"view {name} {{", f"expr {expr}", "}"]


@pytest.fixture(scope="module")
def world(keys):
    with ns.World(keys) as made:
        yield made


def test_r08_blocks_are_tried_in_their_order(world):
    text = (block("example.org", "192.0.2.1", "cache", *view("near", "incidr(client_ip(), '127.0.0.0/30')"))
            + block("example.org", "192.0.2.2", "cache", *view("six", "type() == 'AAAA' || name() startsWith 'y.'"))
            + block(".", "192.0.2.3", "cache", "prometheus 127.0.0.1:9153"))
    server = start(world, text)
    try:
        for _ in range(2):   # out of the caches too: each block has its own
            assert "192.0.2.1" in Asked(world, "x.example.org A", source="127.0.0.2").text()
            assert "192.0.2.3" in Asked(world, "x.example.org A", source="127.0.0.9").text()
            assert Asked(world, "x.example.org AAAA", source="127.0.0.9").text().startswith("NOERROR")
            assert Asked(world, "y.example.org A", source="127.0.0.9").text().startswith("SERVFAIL")
            assert "192.0.2.3" in Asked(world, "x.test A", source="127.0.0.2").text()
    finally:
        assert server.stop() == 0


def test_all_conditions_of_a_block_must_hold(world):
    text = (block(".", "192.0.2.1", *view("a", "type() == 'A'"), *view("b", "do()"))
            + block(".", "192.0.2.2"))
    server = start(world, text)
    try:
        assert "192.0.2.1" in Asked(world, "x.test A do").text()
        assert "192.0.2.2" in Asked(world, "x.test A").text()
    finally:
        server.stop()


def test_nobody_is_responsible(world):
    server = start(world, block(".", "192.0.2.1", *view("none", "proto() == 'tcp'")))
    try:
        assert Asked(world, "x.test A").text().startswith("REFUSED")
        assert "192.0.2.1" in Asked(world, "x.test A tcp").text()
    finally:
        server.stop()


def test_numbers_have_its_name(world):
    text = (block(".", "192.0.2.1", *view("near", "incidr(client_ip(), '127.0.0.2/32')"), "prometheus 127.0.0.1:9153",
                  "acl {\nallow\n}")
            + block(".", "192.0.2.2", "prometheus 127.0.0.1:9153"))
    server = start(world, text)
    try:
        Asked(world, "x.test A", source="127.0.0.2")
        for _ in range(2):
            Asked(world, "x.test A", source="127.0.0.3")
        with world.net():
            page = urllib.request.urlopen("http://127.0.0.1:9153/metrics", timeout=5).read().decode()
        want = ('coredns_dns_responses_total{{server="dns://:53",zone=".",view="{}",rcode="NOERROR",plugin="hosts"}} '
                '{}\n')
        assert want.format("near", 1) in page and want.format("", 2) in page
        assert 'coredns_acl_allowed_requests_total{server="dns://:53",view="near"} 1\n' in page
    finally:
        server.stop()


def test_an_alias_stays_in_its_view(world):
    world.write(f"{FOLDER}/zone", "$ORIGIN z.test.\n@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.9\n"
                                  "a 60 CNAME x.example.org.\n")
    text = "".join(
        corefile(*view_of, f"file {FOLDER}/zone", zone="z.test")
        + block("example.org", address, *view_of)
        for view_of, address in ((view("near", "incidr(client_ip(), '127.0.0.2/32')"), "192.0.2.1"),
                                 ([], "192.0.2.2")))
    server = start(world, text)
    try:
        assert "192.0.2.1" in Asked(world, "a.z.test A", source="127.0.0.2").text()
        assert "192.0.2.2" in Asked(world, "a.z.test A", source="127.0.0.3").text()
    finally:
        server.stop()


WRONG = [
    (block(".", "192.0.2.1") + block(".", "192.0.2.2", *view("a", "do()")),
     r"cannot serve dns://\.:53 - it is already defined"),
    (block(".", "192.0.2.1") + block(".", "192.0.2.2"), r"cannot serve dns://\.:53 - it is already defined"),
    (block(".", "192.0.2.1", *view("a", "len(name())")), r"plugin/view: .*Corefile:3 .*does not come to yes or no"),
    (block(".", "192.0.2.1", *view("a", "type() == 'A' &&")), r"plugin/view: .*it ends too early"),
    (block(".", "192.0.2.1", "view a"), r"plugin/view: .*view a says no questions"),
    (block(".", "192.0.2.1", "view a b {", "expr do()", "}"), r"plugin/view: .*Wrong argument count"),
    (block(".", "192.0.2.1", 'view "a b" {', "expr do()", "}"), r"plugin/view: .*'a b' is no name of a view"),
    (block(".", "192.0.2.1", "erratic {", "drop x", "}"), r"plugin/erratic: .*illegal amount value given 'x'"),
    (block(".", "192.0.2.1", "cancel 5"), r"plugin/cancel: .*invalid duration for cancel: '5'"),
    (block(".", "192.0.2.1", "multisocket 1025"), r"plugin/multisocket: .*invalid num sockets: '1025'"),
]


@pytest.mark.parametrize("text,want", WRONG, ids=[w[1] for w in WRONG])
def test_what_is_wrong_is_said(world, text, want):
    said = refused(world, text)
    assert re.search(want, said), said


# --- erratic, cancel, multisocket ------------------------------------------------------------------------------

@pytest.mark.parametrize("cache", [[], ["cache"]], ids=["alone", "cached"])
def test_erratic(world, cache):
    server = start(world, corefile(*cache, "erratic {", "drop 3", "}"), ready=False)
    try:
        server.wait_log(r"^CoreDNS-")
        got = [Asked(world, "x.test A", timeout=0.3).text() for _ in range(6)]
        assert sum("192.0.2.53" in text for text in got) == 4 and got.count("nothing") == 2, got
    finally:
        server.stop()


def test_erratic_late_short_and_large(world):
    lines = ["erratic {", "delay 2 400ms", "truncate 3", "large", "}"]
    server = start(world, corefile("bufsize 4096", *lines), ready=False)
    try:
        server.wait_log(r"^CoreDNS-")
        took, sizes = [], []
        for _ in range(4):
            began = time.monotonic()
            sizes.append(Asked(world, "x.test AAAA edns").size)   # equal records are one for dnspython
            took.append(time.monotonic() - began)
        assert took[0] > 0.35 and took[2] > 0.35 and min(sizes) > 30 * 28, (took, sizes)
    finally:
        server.stop()


def test_cancel_ends_a_question_sooner(world):
    took = []
    for cancel in ("cancel 4s", "cancel 300ms"):
        server = start(world, corefile(cancel, "erratic {", "delay 1 2s", "}"), ready=False)
        try:
            server.wait_log(r"^CoreDNS-")
            began = time.monotonic()
            text = Asked(world, "x.test A edns").text()
            took.append((time.monotonic() - began, text.split()[0]))
        finally:
            server.stop()
    assert took[0][1] == "NOERROR" and took[0][0] > 1.9
    assert took[1][1] == "SERVFAIL" and took[1][0] < took[0][0]


def sockets(world):
    """How many there are on port 53."""
    table = world.run("cat", "/proc/net/udp").stdout
    return len(re.findall(r"^\s*\d+: 00000000:0035 ", table, re.M))


def test_multisocket_adds_sockets(world):
    counts = []
    for lines in (["whoami"], ["multisocket", "whoami"], ["multisocket 7", "whoami"], ["multisocket 1", "whoami"]):
        server = start(world, corefile(*lines))
        try:
            counts.append(sockets(world))
        finally:
            server.stop()
    assert counts[0] == counts[1] == counts[3] and counts[2] == max(7, counts[0]), counts
