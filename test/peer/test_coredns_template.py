"""template of a Corefile: what its makers show, asked of the program under CoreDNS's name; what is said of templates
that are none; and its numbers."""
import re
import urllib.request

import pytest

import ns
from test_coredns_plugins import FOLDER, Asked, corefile, refused, start

ADDRESSES = [
    "template IN A example {",
    "match (^|[.])ip-(?P<a>[0-9]*)-(?P<b>[0-9]*)-(?P<c>[0-9]*)-(?P<d>[0-9]*)[.]example[.]$",
    'answer "{{ .Name }} 60 IN A {{ .Group.a }}.{{ .Group.b }}.{{ .Group.c }}.{{ .Group.d }}"', "fallthrough", "}",
    "template IN PTR in-addr.arpa {",
    "match ^(?P<d>[0-9]*)[.](?P<c>[0-9]*)[.](?P<b>[0-9]*)[.](?P<a>[0-9]*)[.]in-addr[.]arpa[.]$",
    'answer "{{ .Name }} 60 IN PTR ip-{{ .Group.a }}-{{ .Group.b }}-{{ .Group.c }}-{{ .Group.d }}.example."', "}",
]
HEX = ["template IN A example {",
       'match "^ip0a(?P<b>[a-f0-9]{2})(?P<c>[a-f0-9]{2})(?P<d>[a-f0-9]{2})[.]example[.]$"',
       'answer "{{ .Name }} 60 IN A 10.{{ parseInt .Group.b 16 8 }}.{{ parseInt .Group.c 16 8 }}.'
       '{{ parseInt .Group.d 16 8 }}"', "fallthrough", "}"]
INVALID = ["template ANY ANY invalid {", "rcode NXDOMAIN",
           'authority "invalid. 60 {{ .Class }} SOA ns.invalid. h.invalid. (1 60 60 60 60)"',
           'ederror 21 "no"', "}"]
SOA = r"SOA ns\.invalid\. h\.invalid\. 1 60 60 60 60"

# id, lines, {question: pattern of the answer}
CASES = [
    ("addresses", [*ADDRESSES, "forward . 1.1.1.1"], {
        "ip-10-1-2-3.example A": r"NOERROR aa ra\nip-10-1-2-3\.example\. 60 A 10\.1\.2\.3",
        "x.ip-10-1-2-3.example A": r"NOERROR aa ra\nx\.ip-10-1-2-3\.example\. 60 A 10\.1\.2\.3",
        "3.2.1.10.in-addr.arpa PTR": r"NOERROR aa ra\n3\.2\.1\.10\..* 60 PTR ip-10-1-2-3\.example\.",
        "other.example A": r"NOERROR ra\nother\.example\. \d+ A .*",
        "ip-10-1-2-3.example AAAA": r"NOERROR ra(.*\n?)*"}),
    ("hexadecimal", [*HEX, "whoami"], {
        "ip0a7b7bff.example A": r"NOERROR aa ra\nip0a7b7bff\.example\. 60 A 10\.123\.123\.255"}),
    ("T02", [*INVALID, "forward . 1.1.1.1"], {
        "x.invalid A edns": rf"NXDOMAIN aa ra\n\+invalid\. 60 {SOA}\nEDE 21",
        "x.invalid A": rf"NXDOMAIN aa ra\n\+invalid\. 60 {SOA}",
        "x.invalid A CH": rf"NXDOMAIN aa ra\n\+invalid\. 60 {SOA}",
        "x.valid A": r"NOERROR ra\nx\.valid\. \d+ A .*"}),
    ("foogle", ["template IN ANY foogle.com {", 'match "^foogle\\.com\\.$"',
                'answer "foogle.com 60 IN CNAME google.com"', "}", "forward . 1.1.1.1"], {
        "foogle.com A": r"NOERROR aa ra\nfoogle\.com\. 60 CNAME google\.com\.\ngoogle\.com\. \d+ A .*"}),
    ("variables beside the environment's", ["template IN A {", 'answer "{{$n := .Name}}{{$n}} 60 A {$ADDRESS}"', "}"], {
        "x.test A": r"SERVFAIL.*"}),
    ("variables", ["template IN A {", 'answer "{{$n := .Name}}{{$n}} 60 A 192.0.2.1"', "}"], {
        "x.test A": r"NOERROR aa ra\nx\.test\. 60 A 192\.0\.2\.1"}),
]


@pytest.fixture(scope="module")
def world(keys):
    with ns.World(keys) as made:
        made.start_hosts()
        yield made


@pytest.mark.parametrize("cache", [[], ["cache 30"]], ids=["alone", "cached"])
@pytest.mark.parametrize("lines,asked", [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_answers(world, lines, asked, cache):
    server = start(world, corefile("errors", *cache, *lines))
    try:
        for question, want in asked.items():
            for _ in range(2):
                got = Asked(world, question).text()
                if cache:
                    want = re.sub(r"(?<= )60(?= (A|CNAME|PTR|SOA) )", "\\\\d+", want)
                assert re.fullmatch(want, got), (question, want, got)
        assert server.alive()
    finally:
        assert server.stop() == 0


# lines, and what is said with the place of it
WRONG = [
    (["template IN A {", 'answer "{{ .Name }} 60 A {{ toUpper .Name }}"', "}"], 3, 33,
     r'function "toUpper" not defined'),
    (["template IN A {", 'answer "{{ if true }}x"', "}"], 3, 16, r"a block without its \{\{end\}\}"),
    (["template IN A {", 'answer "{{ printf \\"%s\\" .Nome }}"', "}"], 3, 30, r"unknown field \.Nome"),
    (["template IN A {", "expr type() = 'A'", "}"], 3, 17, r"unexpected '= 'A' ?'"),
    (["template IN A {", "expr incidr(client_ip(), '10.0.0.0/40')", "}"], 3, 10, r"'10\.0\.0\.0/40' is no network"),
]


@pytest.mark.parametrize("lines,line,column,want", WRONG, ids=[w[3] for w in WRONG])
def test_what_is_none_is_refused_by_its_place(world, lines, line, column, want):
    text = corefile(*lines)
    world.write(f"{FOLDER}/wrong.Corefile", text)
    said = world.run(ns.program(), "check", f"{FOLDER}/wrong.Corefile")
    assert said.returncode == 2
    assert re.search(rf"wrong\.Corefile:{line}:{column}: .*{want}", said.stderr), said.stderr
    assert re.search(rf"plugin/template: .*{want}", refused(world, text))


def test_what_depends_on_who_asks_is_kept_for_nobody_else(world):
    lines = ["cache 30", "template IN A {", "expr client_ip() == '127.0.0.7'",
             'answer "{{ .Name }} 60 A {{ .Remote }}"', "fallthrough", "}", "hosts {", "192.0.2.70 x.test", "}"]
    server = start(world, corefile(*lines))
    try:
        for source, want in [("127.0.0.7", "A 127.0.0.7"), ("127.0.0.8", "A 192.0.2.70"), ("127.0.0.7", "A 127.0.0.7")]:
            assert want in Asked(world, "x.test A", source=source).text()
    finally:
        server.stop()


def test_numbers(world):
    lines = [*HEX, "template IN A bad.test {", 'answer "{{ index .Match 5 }}"', "}", "template IN A worse.test {",
             'answer "{{ .Name }} \\"x\\""', "}", "prometheus 127.0.0.1:9153"]
    server = start(world, corefile(*lines))
    try:
        for name in ("ip0a010203.example", "ip0a010203.example", "x.bad.test", "x.worse.test"):
            Asked(world, f"{name} A")
        with world.net():
            page = urllib.request.urlopen("http://127.0.0.1:9153/metrics", timeout=5).read().decode()
        at = 'server="dns://:53",zone=".",view="",class="IN",type="A"'
        assert f"coredns_template_matches_total{{{at}}} 4\n" in page
        part = r',section="answer",template="{{ index .Match 5 }}"} 1'
        assert f"coredns_template_template_failures_total{{{at}{part}\n" in page
        part = r',section="answer",template="{{ .Name }} \"x\""} 1'
        assert f"coredns_template_rr_failures_total{{{at}{part}\n" in page
    finally:
        server.stop()
