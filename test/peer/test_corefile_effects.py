"""Each line that the small plugins of a Corefile take: what is different with it. A row of EFFECTS names the line, the
block without it and with it, and a question whose answer differs; a row of ERRORS what is said of a wrong value, where
the line shows in no packet before there is a cluster. A test holds that no line is left out."""
import re

import pytest

import ns
from test_coredns_plugins import FOLDER, Asked, corefile, refused, start

HOSTS = "192.0.2.70 h1.test"
DNS64 = "dns64 {"
T = "template IN A {"
K8S = "kubernetes cluster.local in-addr.arpa {"
OUT = "k8s_external out.test {"
ETCD = "etcd sky.test {"

# (plugin, line): lines without it, lines with it, the question
EFFECTS = {
    ("local", "localhost_prefix"): (["local", "whoami"], ["local {", "localhost_prefix off", "}", "whoami"],
                                    "localhost.foo A"),
    ("header", "response"): (["header {", "response set ra", "}", f"hosts {{\n{HOSTS}\n}}"],
                             ["header {", "response clear aa", "}", f"hosts {{\n{HOSTS}\n}}"], "h1.test A"),
    ("hosts", "fallthrough"): ([f"hosts {{\n{HOSTS}\n}}", "whoami"], [f"hosts {{\n{HOSTS}\nfallthrough\n}}", "whoami"],
                               "h2.test A"),
    ("hosts", "fallthrough_unsupported"): ([f"hosts {{\n{HOSTS}\n}}", "whoami"],
                                           [f"hosts {{\n{HOSTS}\nfallthrough_unsupported\n}}", "whoami"], "h1.test MX"),
    ("hosts", "ttl"): ([f"hosts {{\n{HOSTS}\n}}"], [f"hosts {{\n{HOSTS}\nttl 77\n}}"], "h1.test A"),
    ("hosts", "no_reverse"): ([f"hosts {{\n{HOSTS}\n}}", "whoami"], [f"hosts {{\n{HOSTS}\nno_reverse\n}}", "whoami"],
                              "70.2.0.192.in-addr.arpa PTR"),
    ("hosts", "*"): (["hosts {\nttl 60\n}"], [f"hosts {{\n{HOSTS}\nttl 60\n}}"], "h1.test A"),
    ("acl", "allow"): (["acl {\nblock\n}", "whoami"], ["acl {\nallow net 127.0.0.1\nblock\n}", "whoami"], "x.test A"),
    ("acl", "block"): (["whoami"], ["acl {\nblock type A\n}", "whoami"], "x.test A"),
    ("acl", "filter"): (["whoami"], ["acl {\nfilter type A\n}", "whoami"], "x.test A"),
    ("acl", "drop"): (["whoami"], ["acl {\ndrop type A\n}", "whoami"], "x.test A"),
    ("kubernetes", "ttl"): ([K8S + "\n}"], [K8S + "\nttl 33\n}"], "x.cluster.local A"),
    ("kubernetes", "fallthrough"): ([K8S + "\n}", "whoami"], [K8S + "\nfallthrough\n}", "whoami"], "x.cluster.local A"),
    ("k8s_external", "ttl"): ([OUT + "\n}", K8S + "\n}"], [OUT + "\nttl 33\n}", K8S + "\n}"], "out.test SOA"),
    ("k8s_external", "apex"): ([OUT + "\n}", K8S + "\n}"], [OUT + "\napex top\n}", K8S + "\n}"], "out.test NS"),
    ("k8s_external", "fallthrough"): ([OUT + "\n}", K8S + "\n}", "whoami"],
                                      [OUT + "\nfallthrough\n}", K8S + "\n}", "whoami"], "x.out.test A"),
    ("dns64", "prefix"): ([DNS64, "allow_ipv4\n}", f"hosts {{\n{HOSTS}\n}}"],
                          [DNS64, "allow_ipv4\nprefix 2001:db8::/96\n}", f"hosts {{\n{HOSTS}\n}}"], "h1.test AAAA"),
    ("dns64", "translate_all"): ([DNS64, "allow_ipv4\n}", f"hosts {{\n{HOSTS}\n2001:db8::1 h1.test\n}}"],
                                 [DNS64, "allow_ipv4\ntranslate_all\n}",
                                  f"hosts {{\n{HOSTS}\n2001:db8::1 h1.test\n}}"], "h1.test AAAA"),
    ("dns64", "allow_ipv4"): (["dns64", f"hosts {{\n{HOSTS}\n}}"],
                              [DNS64, "allow_ipv4\n}", f"hosts {{\n{HOSTS}\n}}"], "h1.test AAAA"),
    ("transfer", "to"): None,                      # test_zone_transfers
    ("transfer", "required"): None,                # test_zone_transfers
    ("transfer", "source"): None,                  # test_zone_notify
    ("log", "class"): None,                        # test_log_classes_and_formats
    ("errors", "consolidate"): None,               # test_errors_are_consolidated
    ("kubernetes", "startup_timeout"): None,       # test_kubernetes_says_that_it_is_not_in_step
    ("loadbalance", "prefer"): None,               # test_loadbalance_shuffles_what_is_cached
    ("hosts", "reload"): None,                     # test_hosts_file_is_watched
    ("ratelimit", "exempt"): None,                 # test_ratelimit_of_each_client
    ("erratic", "drop"): None,                     # test_erratic (test_coredns_view.py)
    ("erratic", "truncate"): (["erratic {", "drop 0", "}"], ["erratic {", "truncate 1", "}"], "x.test A"),
    ("erratic", "delay"): None,                    # test_erratic_late_short_and_large
    ("erratic", "large"): None,                    # the same
    ("etcd", "path"): None,                        # test_etcd.py
    ("etcd", "endpoint"): None,                    # the same
    ("etcd", "credentials"): None,                 # the same
    ("etcd", "fallthrough"): None,                 # the same
    ("rewrite", "*"): None,                        # test_coredns_rewrite.py
    ("template", "match"): ([T, 'answer "{{ .Name }} 60 A 192.0.2.1"', "fallthrough", "}", "whoami"],
                            [T, "match ^y[.]", 'answer "{{ .Name }} 60 A 192.0.2.1"', "fallthrough", "}", "whoami"],
                            "x.test A"),
    ("template", "var"): ([T, 'answer "{{ .Name }} 60 A 192.0.2.9"', "}"],
                          [T, "var n len(name())", 'answer "{{ .Name }} 60 A 192.0.2.{{ .Var.n }}"', "}"], "x.test A"),
    ("template", "expr"): ([T, 'answer "{{ .Name }} 60 A 192.0.2.1"', "}"],
                           [T, "expr bufsize() > 9000", 'answer "{{ .Name }} 60 A 192.0.2.1"', "}"], "x.test A"),
    ("template", "answer"): ([T, "rcode NOERROR", "}"], [T, 'answer "{{ .Name }} 60 A 192.0.2.1"', "}"], "x.test A"),
    ("template", "authority"): ([T, "rcode NXDOMAIN", "}"],
                                [T, "rcode NXDOMAIN", 'authority "test. 60 NS ns.{{ .Zone }}"', "}"], "x.test A"),
    ("template", "additional"): ([T, "rcode NOERROR", "}"], [T, 'additional "{{ .Name }} TXT x"', "}"], "x.test A"),
    ("template", "rcode"): ([T, "rcode NOERROR", "}"], [T, "rcode NXDOMAIN", "}"], "x.test A"),
    ("template", "ederror"): ([T, "rcode NXDOMAIN", "}"], [T, "rcode NXDOMAIN", 'ederror 21 "no"', "}"],
                              "x.test A edns"),
    ("template", "fallthrough"): ([T, "match ^y", "}", "whoami"], [T, "match ^y", "fallthrough", "}", "whoami"],
                                  "x.test A"),
}

# (plugin, line): a block that is refused, and why
ERRORS = {
    ("header", "query"): ("header {\nquery toggle rd\n}", r"unknown flag action=toggle"),
    ("loadbalance", "reload"): ("loadbalance weighted w {\nreload 5\n}", r"invalid reload duration '5'"),
    ("acl", "*"): ("acl {\npermit net 10.0.0.0/8\n}",
                   r"unexpected token \"permit\"; expect 'allow', 'block', 'filter' or 'drop'"),
    ("template", "upstream"): None,                # changes nothing: a warning (template_test.c)
    ("errors", "stacktrace"): None,                # changes nothing: it is taken so that a file with it starts
    ("ratelimit", "mode"): ("ratelimit 5 {\nmode soft\n}", r"'soft' is no mode"),
    ("ratelimit", "ipv6-prefix"): ("ratelimit 5 {\nipv6-prefix 65\n}", r"'65' is no length of a network"),
    ("kubernetes", "endpoint"): (K8S + "\nendpoint\n}", r"Wrong argument count"),
    ("kubernetes", "tls"): (K8S + "\ntls a b\n}", r"Wrong argument count"),
    ("kubernetes", "kubeconfig"): (K8S + "\nkubeconfig\n}", r"Wrong argument count"),
    ("kubernetes", "apiserver_qps"): (K8S + "\napiserver_qps x\n}", r'invalid apiserver_qps "x"'),
    ("kubernetes", "apiserver_burst"): (K8S + "\napiserver_burst x\n}", r'invalid apiserver_burst "x"'),
    ("kubernetes", "apiserver_max_inflight"): (K8S + "\napiserver_max_inflight x\n}",
                                               r'invalid apiserver_max_inflight "x"'),
    ("kubernetes", "namespaces"): (K8S + "\nnamespaces a\nnamespace_labels b=c\n}",
                                   r"namespaces and namespace_labels cannot both be set"),
    ("kubernetes", "namespace_labels"): (K8S + "\nnamespace_labels a,,b\n}",
                                         r"unable to parse label selector value: 'a,,b'"),
    ("kubernetes", "labels"): (K8S + "\nlabels a,,b\n}", r"unable to parse label selector value: 'a,,b'"),
    ("kubernetes", "pods"): (K8S + "\npods maybe\n}",
                             r"wrong value for pods: maybe,  must be one of: disabled, verified, insecure"),
    ("kubernetes", "endpoint_pod_names"): (K8S + "\nendpoint_pod_names x\n}", r"Wrong argument count"),
    ("kubernetes", "noendpoints"): (K8S + "\nnoendpoints\nzonal\n}", r"zonal and noendpoints cannot both be set"),
    ("k8s_external", "headless"): (OUT + "\nheadless x\n}\n" + K8S + "\n}", r"Wrong argument count"),
    ("kubernetes", "ignore"): (K8S + "\nignore all\n}", r"unable to parse ignore value: 'all'"),
    ("kubernetes", "multicluster"): (K8S + "\nmulticluster clusterset.local\n}", r"multicluster has a zone"),
    ("etcd", "tls"): (ETCD + "\ntls a b c d\n}", r"Wrong argument count"),
    ("etcd", "min-lease-ttl"): (ETCD + "\nmin-lease-ttl 30\n}", r"'30' is no duration"),
    ("etcd", "max-lease-ttl"): (ETCD + "\nmax-lease-ttl 169h\n}", r"'169h' is no duration"),
    ("kubernetes", "zonal"): (K8S + "\nzonal x\n}", r"Wrong argument count"),
}

SOURCES = ("local", "header", "loadbalance", "hosts", "zoneacl", "replylog", "errors", "ratelimit", "kubernetes",
           "rewrite", "dns64", "transfer", "templating", "erratic", "etcd", "k8s_external")
NAMES = {"zoneacl": "acl", "replylog": "log", "templating": "template"}


@pytest.fixture(scope="module")
def world(keys):
    with ns.World(keys) as made:
        yield made


def test_no_line_is_left_out():
    known = set(EFFECTS) | set(ERRORS)
    for source in SOURCES:
        text = (ns.HERE.parent.parent / "src" / "plugin" / f"{source}.c").read_text()
        table = text[re.search(r"^(static )?const struct opt \w+\[.*\] = ", text, re.M).start():]
        words = re.findall(r'(?:ROW|WORD)\("([^"]+)"|\.corefile = \{ "([^"]+)", \d', table)
        rows = {a or b for a, b in words} - {NAMES.get(source, source)}
        assert rows, source
        assert {(NAMES.get(source, source), row) for row in rows} <= known


@pytest.mark.parametrize("row", [r for r, case in EFFECTS.items() if case], ids="-".join)
def test_a_line_changes_the_answer(world, row):
    without, with_it, question = EFFECTS[row]
    texts = []
    for lines in (without, with_it):
        server = start(world, corefile(*lines))
        try:
            text = Asked(world, question, timeout=0.5).text()
            texts.append(re.sub(r"SOA .*|SRV .*", "", text))
        finally:
            server.stop()
    assert texts[0] != texts[1]


@pytest.mark.parametrize("row", [r for r, case in ERRORS.items() if case], ids="-".join)
def test_a_wrong_value_is_told(world, row):
    lines, want = ERRORS[row]
    said = refused(world, corefile(lines, "whoami"))
    assert re.search(rf"plugin/{row[0]}: {FOLDER}/Corefile:\d+ - Error during parsing: .*{want}", said), said


def test_weights_change_who_comes_first(world):
    world.write(f"{FOLDER}/weights", "w.test\n192.0.2.1 1\n192.0.2.2 254\n")
    hosts = "hosts {\n192.0.2.1 w.test\n192.0.2.2 w.test\n}"
    seen = []
    for how in ("loadbalance", f"loadbalance weighted {FOLDER}/weights"):
        server = start(world, corefile(how, hosts))
        try:
            seen.append(sum(str(Asked(world, "w.test A").msg.answer[0][0]) == "192.0.2.2" for _ in range(60)))
        finally:
            server.stop()
    assert seen[0] < 55 <= seen[1]


def test_errors_stacktrace_is_taken(world):
    server = start(world, corefile("errors {", "stacktrace", "}", "whoami"))
    assert server.stop() == 0
