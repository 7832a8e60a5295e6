"""The guide's PromQL and alerts on what the program counts: rules that fire and stay silent as they should (promtool),
and a real Prometheus that scrapes it under ordinary load, where each query evaluates to something."""
import json
import random
import re
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
yaml = pytest.importorskip("yaml")
import test_guide_cluster as guide  # noqa: E402
import test_validation_cases as cases  # noqa: E402
from ask import rcode  # noqa: E402
from ns import wait_for  # noqa: E402

pytestmark = [pytest.mark.ours("CoreDNS counts no validation"),
              pytest.mark.skipif(not shutil.which("promtool"), reason="not installed: prometheus")]
DATA = Path(__file__).resolve().parent / "data" / "prometheus"
RULES = yaml.safe_load((DATA / "07-prometheusrule.yaml").read_text())["spec"]
QUERIES = [q.strip() for q in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n", "", (DATA / "06-queries.promql").read_text()))]
COREFILE = ((guide.DATA / "01-validate.Corefile").read_text()
            .replace("        validate\n", f"        validate\n        trust-anchor {guide.ANCHORS}\n"))
FAILURE, LOW = "CoreDNSDNSSECValidationFailureHigh", "CoreDNSDNSSECCacheLowHitRate"
NAMES, FIRST, BETWEEN_S = 40, 400, 6


# --- rules: as much load as is written here, minute by minute --------------------------------------------------

def is_told(name, value):
    """The alert as it would be sent."""
    texts = {FAILURE: ("warning", "High rate of DNSSEC validation failures",
                       f"CoreDNS is experiencing {value} SERVFAIL responses per second"),
             LOW: ("info", "Low DNSSEC cache hit rate", f"DNSSEC cache hit rate is {value}")}
    severity, summary, description = texts[name]
    return {"severity": severity}, {"summary": summary, "description": description}


@pytest.mark.parametrize("a_minute, minutes, at, alert, value", [
    ({"SERVFAIL": 120, "NOERROR": 6000}, 30, "12m", FAILURE, "2"),
    ({"SERVFAIL": 120, "NOERROR": 6000}, 30, "3m", FAILURE, None),        # not yet for five minutes
    ({"SERVFAIL": 30, "NOERROR": 6000}, 30, "25m", FAILURE, None),
    ({"SERVFAIL": 0, "NXDOMAIN": 6000}, 30, "25m", FAILURE, None),
    ({"hits": 15, "requests": 60}, 40, "25m", LOW, "25%"),
    ({"hits": 15, "requests": 60}, 40, "5m", LOW, None),
    ({"hits": 50, "requests": 60}, 40, "35m", LOW, None),
    ({"hits": 0, "requests": 0}, 40, "35m", LOW, None)])                  # nobody asks: no rate, no alert
def test_rules_fire_and_stay_silent(tmp_path, a_minute, minutes, at, alert, value):
    dns = 'server="dns://:53",zone=".",view="",plugin="forward"'

    def series(what):
        return (f'coredns_dns_responses_total{{{dns},rcode="{what}"}}' if what.isupper() else
                f'coredns_dnssec_cache_{what}_total{{server="dns://:53"}}')
    labels, annotations = is_told(alert, value)
    labels |= {"server": "dns://:53"} if alert == LOW else \
        {"server": "dns://:53", "zone": ".", "plugin": "forward", "rcode": "SERVFAIL"}
    want = [] if value is None else [{"exp_labels": labels, "exp_annotations": annotations}]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(RULES))
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({
        "rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [{
            "interval": "1m",
            "input_series": [{"series": series(what), "values": f"0+{n}x{minutes}"} for what, n in a_minute.items()],
            "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": want}]}]}))
    done = subprocess.run(["promtool", "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- a real one ------------------------------------------------------------------------------------------------

@pytest.fixture(name="watched", scope="module")
def watched_cluster(keys):
    """The guide's first Corefile with this world's root, and a Prometheus beside it that looks often."""
    with guide.Cluster(keys, COREFILE, own_root=True) as lab:
        folder = lab.world.dir / "prometheus"
        folder.mkdir()
        often = [{**group, "interval": "1s"} for group in RULES["groups"]]
        (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": often}))
        (folder / "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "1s"},
            "rule_files": ["rules.yaml"],
            "scrape_configs": [{"job_name": "coredns", "static_configs": [{"targets": ["127.0.0.1:9153"]}]}]}))
        lab.world.popen(["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                         "--web.listen-address=127.0.0.1:9090"], stdin=subprocess.DEVNULL,
                        stdout=open(folder / "log", "wb"), stderr=subprocess.STDOUT)
        lab.prometheus = lambda what, **args: prometheus(lab, what, **args)
        wait_for(lambda: lab.prometheus("query", query='up{job="coredns"} == 1'), 20, "the first scrape")
        load(lab)
        yield lab


def prometheus(lab, what, **args):
    """The result of a question to its API, or None while it does not answer."""
    try:
        with lab.world.net():
            url = f"http://127.0.0.1:9090/api/v1/{what}?{urllib.parse.urlencode(args)}"
            answer = json.load(urllib.request.urlopen(url, timeout=5))
    except OSError:
        return None
    assert answer["status"] == "success", answer
    return answer["data"].get("result", answer["data"])


def load(lab):
    """What pods ask: few names often, many seldom, one or the other that cannot be proved. Two scrapes at least lie
    between the first failure and the last."""
    zones = [cases.usual(lab, denial=None if i % 4 == 3 else "nsec") for i in range(8)]
    names = []
    for i in range(NAMES):
        z = zones[i % len(zones)]
        z.add(z.name(f"h{i}"), "A", cases.ADDR)
        names.append(z.name(f"h{i}"))
    rng, seen = random.Random(1), []
    broken = [cases.broken(lab, "forged")[1] for _ in range(3)]
    end = time.monotonic() + BETWEEN_S
    for i, name in enumerate(rng.choices(names, [1 / (k + 1) for k in range(NAMES)], k=FIRST)):
        seen.append(rcode(lab.ask(name, want_dnssec=i % 2 == 0)))
        if i % (FIRST // len(broken)) == 100:
            assert rcode(lab.ask(broken.pop())) == "SERVFAIL"
        time.sleep(max(0.0, (end - time.monotonic()) / (FIRST - i)))
    assert set(seen) == {"NOERROR"}


@pytest.mark.skipif(not shutil.which("prometheus"), reason="not installed: prometheus")
def test_each_query_evaluates_to_something(watched):
    failures, rate = QUERIES
    (row,) = wait_for(lambda: watched.prometheus("query", query=failures), 10, "a rate of SERVFAIL")
    assert row["metric"]["rcode"] == "SERVFAIL" and float(row["value"][1]) > 0
    (row,) = watched.prometheus("query", query=rate)
    assert row["metric"]["server"] == "dns://:53" and 0.5 < float(row["value"][1]) <= 1, row


@pytest.mark.skipif(not shutil.which("prometheus"), reason="not installed: prometheus")
def test_no_alert_under_ordinary_load(watched):
    """Each rule was evaluated, finds its series, and says nothing."""
    wait_for(lambda: all(r["health"] == "ok" for g in watched.prometheus("rules")["groups"] for r in g["rules"]),
             20, "the rules' first turn")
    assert watched.prometheus("alerts")["alerts"] == []
    for rule in RULES["groups"][0]["rules"]:
        bare = re.sub(r"\s[<>]\s*[\d.]+\s*$", "", rule["expr"])
        assert bare != rule["expr"] and watched.prometheus("query", query=bare), rule["expr"]
        assert not watched.prometheus("query", query=rule["expr"])
