"""rewrite of a Corefile: each form of its lines, and what is different with it. Questions are asked of a zone of the
block's own, of forwarders that say what they saw, and of the cluster's names."""
import pytest

import ns
from test_coredns_plugins import FOLDER, Asked, corefile, refused, start

ZONE = """$ORIGIN parity.test.
$TTL 300
@ SOA ns.parity.test. h.parity.test. 1 7200 3600 1209600 60
@ NS ns
ns A 192.0.2.53
www A 192.0.2.10
mail A 192.0.2.30
alias CNAME www
mx MX 5 mail
mx A 192.0.2.31
"""
FILE = f"file {FOLDER}/zone parity.test"

# id, lines, the question, the answer's first lines
CASES = [
    ("W01 exact", ["rewrite name exact db.internal.test www.parity.test"], "db.internal.test A",
     "db.internal.test. 300 A 192.0.2.10"),
    ("plain", ["rewrite name db.internal.test www.parity.test"], "db.internal.test A",
     "db.internal.test. 300 A 192.0.2.10"),
    ("W02 suffix, auto", ["rewrite name suffix .corp.test .parity.test answer auto"], "alias.corp.test A",
     "alias.corp.test. 300 CNAME www.corp.test.\nwww.corp.test. 300 A 192.0.2.10"),
    ("W03 suffix", ["rewrite name suffix .corp.test .parity.test"], "www.corp.test A",
     "www.parity.test. 300 A 192.0.2.10"),
    ("prefix", ["rewrite name prefix old- www."], "old-parity.test A", "www.parity.test. 300 A 192.0.2.10"),
    ("substring", ["rewrite name substring .x. .parity."], "mail.x.test A", "mail.parity.test. 300 A 192.0.2.30"),
    ("W04 regex", [r"rewrite name regex (.*)-(eu)\.x\.test {1}.parity.test "
                   r"answer name (.*)\.parity\.test {1}-eu.x.test"],
     "www-eu.x.test A", "www-eu.x.test. 300 A 192.0.2.10"),
    ("braces", ["rewrite stop {", r"name regex (.*)\.x\.test {1}.parity.test",
                r"answer name (.*)\.parity\.test {1}.x.test", r"answer value (.*)\.parity\.test {1}.y.test", "}"],
     "mx.x.test MX", "mx.x.test. 300 MX 5 mail.y.test."),
    ("W05 ttl", ["rewrite ttl parity.test 10-20", "rewrite ttl suffix .parity.test 10-20"], "www.parity.test A",
     "www.parity.test. 20 A 192.0.2.10"),
    ("W06 rcode", [r"rewrite rcode regex .*\.parity\.test NXDOMAIN NOERROR"], "missing.parity.test A", "NOERROR"),
    ("W07 type", ["rewrite type AAAA A"], "www.parity.test AAAA", "www.parity.test. 300 A 192.0.2.10"),
    ("ANY", ["rewrite type ANY A"], "mx.parity.test ANY", "mx.parity.test. 300 A 192.0.2.31"),
    ("W08 cname", ["rewrite cname exact www.parity.test. mail.parity.test."], "alias.parity.test A",
     "alias.parity.test. 300 CNAME mail.parity.test.\nmail.parity.test. 300 A 192.0.2.30"),
    ("W10 too long", ["rewrite name www.parity.test " + "a" * 64 + ".test"], "www.parity.test A", "SERVFAIL"),
    ("continue", ["rewrite continue name a.test b.test", "rewrite name b.test www.parity.test"], "a.test A",
     "a.test. 300 A 192.0.2.10"),
    ("stop", ["rewrite stop name a.test www.parity.test", "rewrite name www.parity.test mail.parity.test"], "a.test A",
     "a.test. 300 A 192.0.2.10"),
]


@pytest.fixture(scope="module")
def world(keys):
    with ns.World(keys) as made:
        made.start_hosts()
        made.write(f"{FOLDER}/zone", ZONE)
        yield made


@pytest.fixture(scope="module")
def plain(world):
    """What is said without any line."""
    server = start(world, corefile(FILE))
    try:
        return {question: Asked(world, question).text() for _, _, question, _ in CASES}
    finally:
        server.stop()


@pytest.mark.parametrize("cache", [[], ["cache 30"]], ids=["alone", "cached"])
@pytest.mark.parametrize("lines,question,want", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_answers(world, plain, lines, question, want, cache):
    server = start(world, corefile("errors", *cache, *lines, FILE))
    try:
        for _ in range(2):
            asked = Asked(world, question)
            name = question.split()[0] + "."
            assert asked.msg.question[0].name.to_text() == name
            text = asked.text()
            if cache:
                text = text.replace(" 30 ", " 300 ") if "300" in want else text
            assert want in text and text != plain[question], text
        if want == "SERVFAIL":
            server.wait_log(r"plugin/errors: 2 www\.parity\.test\. A: invalid name after rewrite")
    finally:
        assert server.stop() == 0


def test_the_class_of_a_question(world):
    server = start(world, corefile("chaos v1", "rewrite class CH IN", FILE))
    try:
        assert "192.0.2.10" in Asked(world, "www.parity.test A CH").text()
    finally:
        server.stop()


@pytest.mark.parametrize("lines", [["rewrite name open.test secret.parity.test"],
                                   ["rewrite name suffix open.test secret.parity.test answer auto"]], ids=str)
def test_who_may_ask_is_judged_by_what_is_asked_for_in_the_end(world, lines):
    """CVE-2026-26017; and the other way round, an honest name is not refused for what it was."""
    server = start(world, corefile(*lines, "rewrite name secret2.test www.parity.test",
                                   "acl secret.parity.test secret2.test {",
                                   "block", "}", "cache 30", FILE))
    try:
        assert Asked(world, "open.test A").text().startswith("REFUSED")
        assert "192.0.2.10" in Asked(world, "secret2.test A").text()
    finally:
        server.stop()


@pytest.mark.parametrize("cache", [[], ["cache 30"]], ids=["alone", "cached"])
@pytest.mark.parametrize("target", ["x.secret", "way.parity"], ids=["straight", "over another alias"])
def test_what_may_not_be_asked_for_is_not_had_where_a_rewritten_alias_leads(world, cache, target):
    """The new target is asked in the client's stead, and judged as its own question would be."""
    world.write(f"{FOLDER}/zone", ZONE + "x.secret A 192.0.2.66\nway CNAME x.secret\nplain CNAME mail\n")
    target = "x.secret.parity.test." if target == "x.secret" else "way.parity.test."
    server = start(world, corefile(f"rewrite cname exact www.parity.test. {target}", "acl secret.parity.test {",
                                   "allow net 127.0.0.7", "block", "}", *cache, FILE, "prometheus :9153"))
    try:
        for _ in range(2):
            assert "192.0.2.66" in Asked(world, "alias.parity.test A", source="127.0.0.7").text()
            said = Asked(world, "alias.parity.test A edns").text()
            assert said.startswith("REFUSED") and "192.0.2.66" not in said
            assert "192.0.2.30" in Asked(world, "plain.parity.test A").text()      # its twin leads elsewhere
    finally:
        server.stop()


def test_another_block_judges_its_own_names(world):
    """An alias of one block into a block that has an acl of its own."""
    text = corefile("template IN A alias.test {", 'answer "{{ .Name }} 60 CNAME x.secret.test."', "}") + corefile(
        "acl {", "allow net 127.0.0.7", "block", "}", "hosts {", "192.0.2.66 x.secret.test", "}", zone="secret.test:53")
    server = start(world, text)
    try:
        assert "192.0.2.66" in Asked(world, "a.alias.test A", source="127.0.0.7").text()
        assert "192.0.2.66" not in Asked(world, "a.alias.test A").text()
        assert Asked(world, "x.secret.test A").text().startswith("REFUSED")
    finally:
        server.stop()


@pytest.mark.parametrize("cache", [[], ["cache 30"]], ids=["alone", "cached"])
def test_what_may_not_be_asked_for_is_not_had_through_an_alias(world, cache):
    """Through a template, whose author lets clients choose; those who may ask get it, in whatever order they come."""
    lines = ["acl secret.parity.test {", "allow net 127.0.0.7", "block", "}", *cache, "template IN A to.test {",
             r"match ^(.*)[.]to[.]test[.]$", 'answer "{{ .Name }} 60 CNAME {{ index .Match 1 }}."', "}", FILE]
    world.write(f"{FOLDER}/zone", ZONE + "x.secret A 192.0.2.66\nin CNAME x.secret\n")
    server = start(world, corefile(*lines))
    try:
        for source, got in [("127.0.0.7", True), ("127.0.0.2", False), ("127.0.0.7", True), ("127.0.0.2", False)]:
            for name in ("x.secret.parity.test.to.test", "in.parity.test", "x.secret.parity.test"):
                text = Asked(world, f"{name} A", source=source).text()
                assert ("192.0.2.66" in text) == got and text.startswith("REFUSED") != got, (source, name, text)
            assert "192.0.2.10" in Asked(world, "www.parity.test.to.test A", source=source).text()
    finally:
        server.stop()
        world.write(f"{FOLDER}/zone", ZONE)


def test_a_cluster_hears_the_name_it_knows(world):
    server = start(world, corefile("rewrite name db.example.com db.prod.svc.cluster.local",
                                   "kubernetes cluster.local", "forward . 1.1.1.1"))
    try:
        text = Asked(world, "db.example.com A").text()
        assert text.startswith("SERVFAIL") and "+cluster.local." in text   # its cluster has not been heard of yet
    finally:
        server.stop()


# line, and the numbers of the options that a forwarder gets
OPTIONS = [
    ("rewrite edns0 local set 0xffee 0x0102", {0xFFEE}),
    ("rewrite edns0 local append 0xffee {client_ip}", {0xFFEE}),
    ("rewrite edns0 local replace 0xffee abc", set()),
    ("rewrite continue edns0 local set 0xffee a\nrewrite edns0 local unset 0xffee", set()),
    ("rewrite edns0 nsid set", {3}),
    ("rewrite edns0 subnet set 24 56 revert", {8}),
]


@pytest.mark.parametrize("line,want", OPTIONS, ids=[o[0] for o in OPTIONS])
def test_forwarders_are_told(world, line, want):
    """W09, and that such an answer is kept for nobody else."""
    server = start(world, corefile(*line.split("\n"), "cache 30", "forward . 1.1.1.1"))
    world.tell("reset")
    try:
        for _ in range(2):
            assert Asked(world, "told.test A edns").msg.options == ()
        seen = world.tell("seen", name="told.test")
        assert [set(q["options"]) for q in seen] == [want] * (2 if want else 1)
    finally:
        server.stop()


def test_errors_say_where(world):
    said = refused(world, corefile("rewrite name fuzzy a.test b.test", "whoami"))
    assert "plugin/rewrite: " in said and "unknown way to match names 'fuzzy'" in said
