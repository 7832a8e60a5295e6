"""`signet manifests`: what it prints, judged by kubectl against a test API server, and what others look for in it."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from apiserver.discovery import KINDS, TYPES, Discovery
from apiserver.server import ApiServer, Reply
from apiserver.watchable import Watchable, namespace
from ns import program

yaml = pytest.importorskip("yaml", reason="not installed: python3-yaml")

MODES = ("deployment", "daemonset", "node-local")
TEMPLATES = Path(__file__).resolve().parents[2] / "deploy/kubernetes"
SEEDS = Path(__file__).resolve().parent / "data/cluster"


def signet(*words, expect=0):
    done = subprocess.run([program(), "manifests", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == expect, done.stderr
    return done


def objects(*words):
    return list(yaml.safe_load_all(signet(*words).stdout))


def one(things, kind, name):
    return next(t for t in things if t["kind"] == kind and t["metadata"]["name"] == name)


# --- kubectl -------------------------------------------------------------------------------------------------

def kubectl_version():
    if not shutil.which("kubectl"):
        return None
    done = subprocess.run(["kubectl", "version", "--client", "-o", "json"], capture_output=True, text=True, check=False)
    found = re.search(r'"minor": "(\d+)', done.stdout)
    return int(found[1]) if found else None


needs_kubectl = pytest.mark.skipif((kubectl_version() or 0) < 25, reason="not installed: a kubectl of 1.25 or newer "
                                   "(Debian 12 has 1.20, which asks for beta kinds)")


@pytest.fixture
def api(tmp_path):
    with ApiServer(tmp_path / "api") as made:
        yield made


def kubectl(api, *words, stdin):
    home = api.folder / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(["kubectl", "--kubeconfig", api.kubeconfig(), "--cache-dir", home / "cache", *words],
                          input=stdin, capture_output=True, text=True, timeout=60, check=False,
                          env={"HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})


WAYS = {   # who judges, and the words for it
    "server": ["apply", "--dry-run=server", "--validate=strict", "-f", "-"],
    "client": ["create", "--dry-run=client", "--validate=true", "-f", "-"],
}


@needs_kubectl
@pytest.mark.parametrize("judge", WAYS)
@pytest.mark.parametrize("mode", MODES)
def test_kubectl_accepts_each_object(api, mode, judge):
    found = Discovery(api, server=judge == "server")
    text = signet("--mode", mode, "--cluster-ip", "10.96.0.10").stdout
    done = kubectl(api, *WAYS[judge], stdin=text)
    assert done.returncode == 0, done.stderr
    things = list(yaml.safe_load_all(text))
    assert len(done.stdout.splitlines()) == len(things)
    if judge == "server":
        assert sorted(found.seen) == sorted((t["kind"], t["metadata"]["name"]) for t in things)


BROKEN = {   # what a slip looks like, and the word that names it
    "readOnlyRootFilesystem: true": ("readOnlyRootFileSystem: true", "readOnlyRootFileSystem"),
    "allowPrivilegeEscalation: false": ("allowPrivilegeEscalation: [no]", "allowPrivilegeEscalation"),
    "containerPort: 9153": ("hostPort: 9153", "containerPort"),
    "maxReplicas: 10": ("maximum: 10", "maxReplicas"),
    "podSelector:": ("selector:", "podSelector"),
}


@needs_kubectl
@pytest.mark.parametrize("judge", WAYS)
@pytest.mark.parametrize("good", BROKEN)
def test_kubectl_refuses_what_is_broken(api, good, judge):
    Discovery(api, server=judge == "server")
    text = signet().stdout
    assert good in text
    bad, word = BROKEN[good]
    done = kubectl(api, *WAYS[judge], stdin=text.replace(good, bad))
    assert done.returncode != 0 and word in done.stderr


def test_each_field_has_its_source():
    for name in KINDS:
        assert name in TYPES
    for name, (source, fields) in TYPES.items():
        assert source.startswith("po:") or "/" in source, name
        for kind, _ in fields.values():
            kind = kind.strip("[]{}")
            assert kind in TYPES or kind in ("string", "int", "bool", "quantity", "int-or-string", "any"), (name, kind)


# --- what others look for ------------------------------------------------------------------------------------

def test_names_that_others_rely_on():
    things = objects("--cluster-ip", "10.96.0.10")
    service = one(things, "Service", "kube-dns")
    assert service["spec"]["clusterIP"] == "10.96.0.10"
    assert {(p["name"], p["protocol"], p["port"]) for p in service["spec"]["ports"]} == {
        ("dns", "UDP", 53), ("dns-tcp", "TCP", 53), ("metrics", "TCP", 9153)}
    monitor = one(things, "ServiceMonitor", "coredns-dnssec")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == "metrics"
    pods = one(things, "Deployment", "coredns")["spec"]["template"]["metadata"]["labels"]
    for selector in (service["spec"]["selector"], one(things, "PodDisruptionBudget", "coredns")["spec"]["selector"][
            "matchLabels"], *(t["spec"]["podSelector"]["matchLabels"] for t in things if t["kind"] == "NetworkPolicy")):
        assert selector.items() <= pods.items()
    assert one(things, "ClusterRoleBinding", "system:coredns")["subjects"] == [
        {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}]
    rules = one(things, "ClusterRole", "system:coredns")["rules"]
    assert {(g, r) for rule in rules for g in rule["apiGroups"] for r in rule["resources"]} == {
        ("", "endpoints"), ("", "services"), ("", "pods"), ("", "namespaces"), ("discovery.k8s.io", "endpointslices")}
    assert all(sorted(rule["verbs"]) == ["list", "watch"] for rule in rules)


@pytest.mark.parametrize("mode", ["deployment", "daemonset"])
def test_the_pod_is_as_locked_as_the_clusters_own(mode):
    pod = one(objects("--mode", mode), {"deployment": "Deployment", "daemonset": "DaemonSet"}[mode],
              "coredns")["spec"]["template"]["spec"]
    box = pod["containers"][0]
    assert box["args"] == ["-conf", "/etc/coredns/Corefile"] and "command" not in box
    assert box["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                      "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]}}
    assert pod["securityContext"]["runAsNonRoot"] is True and pod["securityContext"]["runAsUser"] > 0
    probes = [(box[p]["httpGet"]["path"], box[p]["httpGet"]["port"]) for p in ("livenessProbe", "readinessProbe")]
    assert probes == [("/health", 8080), ("/ready", 8181)]
    assert pod["serviceAccountName"] == "coredns" and pod["dnsPolicy"] == "Default"
    assert box["volumeMounts"][0]["mountPath"] == "/etc/coredns"


def test_the_scaled_server_keeps_its_number():
    """A number of replicas in the file would take away what the autoscaler added, with each apply."""
    things = objects()
    assert "replicas" not in one(things, "Deployment", "coredns")["spec"]
    assert one(things, "HorizontalPodAutoscaler", "coredns")["spec"]["minReplicas"] == 2


@pytest.mark.parametrize("seed", ["17-network-policy.yaml", "05-servicemonitor.yaml", "07-prometheusrule.yaml"])
def test_what_users_have_is_there_unchanged(seed):
    assert (SEEDS / seed).read_text().strip() in signet().stdout


def test_the_policies_meet():
    """Scraping and asking are let in apart, and what leaves has ports for upstreams and for the cluster's API."""
    policies = [t for t in objects() if t["kind"] == "NetworkPolicy"]
    into = {p["port"]: r.get("from") for t in policies for r in t["spec"].get("ingress", []) for p in r["ports"]}
    assert into[9153] == [{"namespaceSelector": {}}]
    assert into[53] == [{"namespaceSelector": {"matchLabels": {"dns-access": "allowed"}}}]
    out = {(p["protocol"], p["port"]) for t in policies for r in t["spec"].get("egress", []) for p in r["ports"]}
    assert out == {("UDP", 53), ("TCP", 53), ("TCP", 853), ("TCP", 443), ("TCP", 6443)}


def test_every_alert_is_one_that_prometheus_reads(tmp_path):
    if not shutil.which("promtool"):
        pytest.skip("not installed: promtool")
    for rule in (t for t in objects() if t["kind"] == "PrometheusRule"):
        file = tmp_path / f"{rule['metadata']['name']}.yml"
        file.write_text(yaml.safe_dump(rule["spec"]))
        done = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_corefile_is_the_users(tmp_path):
    text = "# @domain@ stays\n.:53 {\n\tforward . 192.0.2.1\n\n  cache\n}\n"
    file = tmp_path / "Corefile"
    file.write_text(text)
    for mode, name in (("deployment", "coredns"), ("node-local", "node-local-dns")):
        assert one(objects("--mode", mode, "--corefile", file), "ConfigMap", name)["data"]["Corefile"] == text
    assert "no file" not in signet("--corefile", tmp_path / "none", expect=2).stdout
    file.write_bytes(b".:53 {\0}\n")
    signet("--corefile", file, expect=2)


@pytest.mark.parametrize("mode,name", [("deployment", "coredns"), ("node-local", "node-local-dns")])
def test_our_own_corefiles_load(tmp_path, mode, name):
    file = tmp_path / "Corefile"
    file.write_text(one(objects("--mode", mode, "--domain", "k8s.example"), "ConfigMap", name)["data"]["Corefile"])
    assert "k8s.example" in file.read_text()
    done = subprocess.run([program(), "check", file], capture_output=True, text=True, check=False,
                          env={"KUBE_DNS_UPSTREAM_SERVICE_HOST": "10.96.0.11"})
    assert (done.returncode, done.stderr) == (0, "")


def test_node_local_takes_both_addresses():
    things = objects("--mode", "node-local", "--cluster-ip", "10.96.0.10", "--image",
                     "registry.example/signet@sha256:aa")
    pod = one(things, "DaemonSet", "node-local-dns")["spec"]["template"]["spec"]
    assert pod["hostNetwork"] is True and pod["dnsPolicy"] == "Default"
    box = pod["containers"][0]
    assert box["image"] == "registry.example/signet@sha256:aa"
    assert box["args"][:2] == ["-localip", "169.254.20.10,10.96.0.10"]
    assert set(box["securityContext"]["capabilities"]["add"]) == {"NET_ADMIN", "NET_BIND_SERVICE"}
    assert "bind 169.254.20.10 10.96.0.10\n" in one(things, "ConfigMap", "node-local-dns")["data"]["Corefile"]


def test_parts_and_refusals():
    assert {t["kind"] for t in objects("--only", "Service", "--only", "ConfigMap")} == {"Service", "ConfigMap"}
    assert "NetworkPolicy" not in {t["kind"] for t in objects("--without", "NetworkPolicy")}
    assert "dns-access" in signet().stderr and signet("--without", "NetworkPolicy").stderr == ""
    for words in (["--only", "Pod"], ["--mode", "x"], ["--namespace", "a: b"], ["--image", "a b"], ["--image", ""],
                  ["--domain", "x\ny"], ["--cluster-ip", "10.0.0.256"], ["--cluster-ip"], ["--what", "x"], ["x"],
                  ["--mode", "node-local", "--only", "Deployment"]):
        assert signet(*words, expect=2).stdout == ""
    assert {t["metadata"].get("namespace", "dns") for t in objects("--namespace", "dns")} == {"dns"}


def test_each_template_is_used():
    """A template that no row names would be embedded for nothing."""
    rows = (TEMPLATES.parents[1] / "src/app/manifests.def").read_text()
    named = set(re.findall(r'"([\w-]+\.yaml)"', rows))
    assert named | {"pod.yaml"} == {p.name for p in TEMPLATES.glob("*.yaml")}


# --- the plan ------------------------------------------------------------------------------------------------

@pytest.fixture
def cluster(api):
    watched = Watchable(api)
    for name, labels in {"default": {}, "kube-system": {"dns-access": "allowed"}, "web": {"dns-access": "allowed"},
                         "shop": {"dns-access": "denied", "team": "a"}, "batch-9": {"team": "dns-access"}}.items():
        watched.put(namespace(name, **labels))
    return watched


def plan(api, *words, user="token", env=None):
    """Exit status, the commands, and what is said."""
    words = ["--kubeconfig", api.kubeconfig(user=user), *words] if env is None else words
    home = {"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([program(), "manifests", "--plan", *words], capture_output=True, text=True, timeout=60,
                          check=False, env={**home, **(env or {})})
    commands = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    return done.returncode, commands, done.stdout + done.stderr


@pytest.mark.parametrize("user", ["token", "cert"])
def test_plan_names_exactly_those_that_would_lose_dns(api, cluster, user):
    status, commands, text = plan(api, user=user)
    assert status == 1, text
    assert sorted(commands) == ["kubectl label namespace batch-9 dns-access=allowed",
                                "kubectl label namespace default dns-access=allowed",
                                "kubectl label namespace shop --overwrite dns-access=allowed"]
    assert "3 of 5 namespaces" in text
    assert {r.method for r in api.asked} == {"GET"}      # nothing is applied


def test_plan_of_a_cluster_that_is_ready(api, cluster):
    for name in ("default", "shop", "batch-9"):
        cluster.put(namespace(name, **{"dns-access": "allowed"}))
    status, commands, text = plan(api)
    assert (status, commands) == (0, []) and "0 of 5" in text


def test_plan_reads_every_page(api, cluster):
    for i in range(230):
        cluster.put(namespace(f"team-{i}", **({"dns-access": "allowed"} if i % 10 else {})))
    status, commands, text = plan(api)
    assert status == 1 and len(commands) == 23 + 3, text
    assert sum(r.path == "/api/v1/namespaces" for r in api.asked) == 3


def test_plan_agrees_with_the_policy(api, cluster):
    """The label of the commands is the one that the printed policy asks for."""
    policy = one(objects(), "NetworkPolicy", "coredns-allow")
    (key, value), = policy["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"].items()
    assert all(c.endswith(f" {key}={value}") for c in plan(api)[1])


def test_plan_finds_the_kubeconfig_as_kubectl_does(api, cluster, tmp_path):
    config = api.kubeconfig()
    assert plan(api, env={"KUBECONFIG": str(config)})[0] == 1
    (tmp_path / "home/.kube").mkdir(parents=True)
    (tmp_path / "home/.kube/config").write_text(config.read_text())
    assert plan(api, env={"HOME": str(tmp_path / "home")})[0] == 1
    assert plan(api, "--context", "test")[0] == 1
    status, commands, text = plan(api, env={})
    assert (status, commands) == (2, []) and "no kubeconfig" in text


@pytest.mark.parametrize("what", ["nobody", "stranger", "away", "garbage", "endless", "hostile", "context", "broken"])
def test_plan_that_cannot_be_made(api, cluster, tmp_path, what):
    words, user, expect = [], "token", 3
    if what == "nobody":
        user, says = "nobody", "401"
    elif what == "stranger":             # the kubeconfig trusts another authority
        with ApiServer(tmp_path / "other") as other:
            text = api.kubeconfig().read_text().replace(str(api.folder / "ca.pem"), str(other.folder / "ca.pem"))
        (tmp_path / "stranger").write_text(text)
        words, says = ["--kubeconfig", tmp_path / "stranger"], "certificate"
    elif what == "away":
        api.close()
        says = "onnect"
    elif what == "garbage":
        api.before.append(lambda request: Reply(200, b'{"items": "none"}'))
        says = "no list"
    elif what == "endless":
        api.before.append(lambda request: Reply(200, b'{"metadata": {"continue": "x"}, "items": []}'))
        says = "no end"
    elif what == "hostile":
        api.before.append(lambda request: Reply(200, b'{"items": [{"metadata": {"name": "a; reboot #"}}]}'))
        says = "without a name"
    elif what == "context":
        words, says, expect = ["--context", "other"], "other", 2
    else:
        (tmp_path / "broken").write_text("clusters: [\n")
        words, says, expect = ["--kubeconfig", tmp_path / "broken"], "broken:", 2
    status, commands, text = plan(api, *words, user=user)
    assert (status, commands) == (expect, []), text
    assert says in text and "reboot" not in text


# --- the alerts ----------------------------------------------------------------------------------------------

AT = '{namespace="kube-system",server="dns://:53"%s}'
ALERTS = {   # series while something is wrong, and while nothing is; a step is 30 s
    "DNSBogusAnswers": (
        {"coredns_dnssec_failures_total" + AT % ',reason="expired"': "0+30x60"},
        {"coredns_dnssec_failures_total" + AT % ',reason="expired"': "0+1x60"}),
    "DNSValidationCacheLowHitRate": (
        {"coredns_dnssec_cache_hits_total" + AT % "": "0+30x60",
         "coredns_dnssec_cache_requests_total" + AT % "": "0+99x60"},
        {"coredns_dnssec_cache_hits_total" + AT % "": "0+90x60",
         "coredns_dnssec_cache_requests_total" + AT % "": "0+99x60"}),
    "DNSUpstreamsBroken": (
        {"coredns_forward_healthcheck_broken_total" + AT % "": "0+1x60"},
        {"coredns_forward_healthcheck_broken_total" + AT % "": "7+0x60"}),
    "DNSServerErrors": (
        {"coredns_dns_responses_total" + AT % ',rcode="SERVFAIL"': "0+9x60",
         "coredns_dns_responses_total" + AT % ',rcode="NOERROR"': "0+90x60"},
        {"coredns_dns_responses_total" + AT % ',rcode="SERVFAIL"': "0+1x60",
         "coredns_dns_responses_total" + AT % ',rcode="NOERROR"': "0+90x60"}),
    "DNSConfigurationRefused": (
        {"coredns_reload_failed_total" + AT % "": "0x35 1x25"}, {"coredns_reload_failed_total" + AT % "": "3x60"}),
    "DNSServersMissing": ({"up" + AT % "": "0x60"}, {'coredns_build_info{job="kube-dns"}': "1x60"}),
}


@pytest.mark.parametrize("alert", ALERTS)
def test_alerts_fire_and_stay_silent(tmp_path, alert):
    if not shutil.which("promtool"):
        pytest.skip("not installed: promtool")
    rule = one(objects(), "PrometheusRule", "signet-dns-alerts")
    assert {r["alert"] for g in rule["spec"]["groups"] for r in g["rules"]} == set(ALERTS)
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rule["spec"]))
    tests = []
    for series, firing in zip(ALERTS[alert], (1, 0)):
        tests.append({"interval": "30s", "input_series": [{"series": s, "values": v} for s, v in series.items()],
                      "promql_expr_test": [{"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                                            "eval_time": "25m",
                                            "exp_samples": [{"labels": "{}", "value": 1}] if firing else []}]})
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "30s",
                                                       "tests": tests}))
    done = subprocess.run(["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
