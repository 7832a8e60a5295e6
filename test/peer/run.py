#!/usr/bin/python3
"""Runs the folder's test files side by side, each in a pytest of its own: their worlds do not touch each other.

  run.py [--junitxml=FILE] [--workers=N] [pytest's own words]

Prints each file's output when it is done; writes one report of all. Exit status: 0 all passed or skipped, 1 not.

The programs in these tests have real clocks, and a machine that does something else now and then decides one of their
waits. So what failed beside others is played once more alone, a few tests at most, and counts as it ends then; each
is named in the output, for a test that needs this twice is a test to mend.
"""
import os
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import keys  # noqa: E402
import ns  # noqa: E402

# The longest, so that none is left to the end.
FIRST = ("test_scenarios.py", "test_coredns_forward.py", "test_option_effects.py", "test_kubernetes_live.py",
         "test_node_cache.py", "test_corefile_validation.py", "test_attacks_cost.py", "test_ctl.py", "test_cache.py",
         "test_coredns_cache.py", "test_guide_cluster.py", "test_outage.py", "test_image.py", "test_load.py")
FILE_S = 400
AGAIN_MAX = 5    # tests that failed and are played again; more are no chance


def queue():
    files = sorted(HERE.glob("test_*.py"))
    return [HERE / name for name in FIRST] + [f for f in files if f.name not in FIRST]


def play(files, lock, words, folder, results):
    while True:
        with lock:
            if not files:
                return
            file = files.pop(0)
        start = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--junitxml={folder}/{file.stem}.xml",
                   *words, str(file)]
        try:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=FILE_S,
                                  check=False)
            status, text = done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as e:
            status, text = 124, (e.stdout or b"").decode(errors="replace") + f"\nlonger than {FILE_S} s\n"
        with lock:
            results[file.name] = status
            print(f"--- {file.name} ({time.monotonic() - start:.0f} s)\n{text}", end="", flush=True)


def failures(report):
    """The test cases of a report that did not pass."""
    if not report.exists():
        return []
    return [case for case in xml.parse(report).getroot().iter("testcase")
            if case.find("failure") is not None or case.find("error") is not None]


def clear(report, names):
    """Take the failures of these tests out of a report."""
    tree = xml.parse(report)
    for suite in tree.getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            for kind in ("failure", "error"):
                found = case.find(kind)
                if case.get("name") in names and found is not None:
                    case.remove(found)
                    key = kind + "s"
                    suite.set(key, str(int(suite.get(key, "1")) - 1))
    tree.write(report)


def again(words, folder, results):
    """What failed, alone."""
    bad = {name: failures(Path(folder) / name.replace(".py", ".xml")) for name, s in results.items() if s == 1}
    if not 0 < sum(len(cases) for cases in bad.values()) <= AGAIN_MAX:
        return
    for name, cases in bad.items():
        names = sorted({case.get("name") for case in cases})
        print(f"--- {name}, alone: {', '.join(names)}", flush=True)
        done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words,
                               *[f"{HERE / name}::{n}" for n in names]], timeout=FILE_S, check=False)
        if names and done.returncode == 0:
            results[name] = 0
            clear(Path(folder) / name.replace(".py", ".xml"), names)
            print(f"--- {name}: passed alone, failed beside others: {', '.join(names)}", flush=True)


def merge(folder, into, results):
    """One report; a file that left none counts as one error."""
    root = xml.Element("testsuites")
    for name, status in sorted(results.items()):
        report = Path(folder) / name.replace(".py", ".xml")
        if report.exists():
            root.extend(xml.parse(report).getroot().iter("testsuite"))
        elif status:
            root.append(xml.Element("testsuite", name=name, tests="1", errors="1", failures="0", skipped="0"))
    xml.ElementTree(root).write(into)


def main(words):
    ns.become_root()
    report = next((w.split("=", 1)[1] for w in words if w.startswith("--junitxml=")), None)
    workers = next((int(w.split("=", 1)[1]) for w in words if w.startswith("--workers=")),
                   2 * max(2, len(os.sched_getaffinity(0))))   # they wait for half of their time
    words = [w for w in words if not w.startswith(("--junitxml=", "--workers="))]
    files, lock, results = queue(), threading.Lock(), {}
    with tempfile.TemporaryDirectory(prefix="signet-peer-") as folder:
        if not ns.refusal():
            os.environ["SIGNET_TEST_KEYS"] = str(keys.make(Path(folder) / "keys"))
        threads = [threading.Thread(target=play, args=(files, lock, words, folder, results)) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again(words, folder, results)
        if report:
            merge(folder, report, results)
    bad = {name: status for name, status in results.items() if status not in (0, 5)}
    print("all files passed" if not bad else f"failed: {', '.join(sorted(bad))}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
