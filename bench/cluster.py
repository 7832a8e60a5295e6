#!/usr/bin/python3
"""A large cluster behind a Corefile: memory, CPU and answers while it is read, and while thousands of endpoints change.

  bench/cluster.py [--pods 150000] [--services 8000] [--endpoints 100000] [--rate 2000] [--seconds 5] [--pairs 7]
                   [--rates 1000,10000] [--program build/signet] [--json FILE] [--judge]

In a namespace of its own: an API server over TLS (test/peer/apiserver) has the cluster and sends it once; then only
events. Each pod carries what real ones carry besides (managed fields), so that what is stepped over is as long as in
life. Reported: bytes that came, CPU of both processes until all was there, peak and resident memory of both, then
quantiles of the answers' times (bench_pace) in windows without and with `rate` changed EndpointSlices a second, in
turns, and what of these the program counted itself.

The program, signet-fetch included, stands on core 1 alone and so has one worker, which reads the events and answers all
questions: nothing else takes its time, and no other worker hides what it does. It runs as it would anywhere, in no
real-time class. The load and the API server are on core 0, the load ahead of the other (SCHED_FIFO).
--judge: exit 1 where a bound is passed, or fewer events came than were to come.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "test" / "peer"))
BOUNDS = {"peak_mb": 40.0, "sync_cpu_s": 10.0}
P99_RATIO, ARRIVED = 1.2, 0.98      # of the p99 without changes; of the changes that were to come
LOAD_CORE, SERVER_CORE = 0, 1
VERSION = 1000000                   # of the first object: all have as many digits
HISTORY = 20000                     # latest changes that the API server remembers
BEAT_S = 0.005                      # the changes of such a time go out together
NAMES = 1000                        # of services, asked in turn
COREFILE = """.:53 {
    errors
    ready
    prometheus 127.0.0.1:9153
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods verified
        fallthrough in-addr.arpa ip6.arpa
    }
}
"""
MANAGED = [{"manager": "kubelet", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
            "fieldsV1": {"f:status": {f"f:field-{i}": {"f:inner": {".": {}}} for i in range(45)}}}]


def address(n):
    return f"10.{128 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"


def objects(args, watchable):
    """Of each service one slice; endpoints and pods share addresses, as in life."""
    names = [f"team-{i}" for i in range(200)]
    yield from (watchable.namespace(n) for n in ["default", "kube-system", *names])
    each = max(1, args.endpoints // args.services)
    for i in range(args.services):
        ns, ip = names[i % len(names)], f"10.96.{i >> 8 & 255}.{i & 255}"
        yield watchable.service(ns, f"service-{i}", "None" if i % 4 == 0 else ip, ports=[("http", 80)])
        yield slice_of(watchable, ns, i, each)
    for i in range(args.pods):
        o = watchable.pod(names[i % len(names)], f"deployment-{i % 5000}-5d8f7c9b6-{i:06x}", address(i))
        o["metadata"].update(uid=f"6f1d0e0a-0000-4000-8000-{i:012x}", managedFields=MANAGED,
                             labels={"app": f"deployment-{i % 5000}", "pod-template-hash": "5d8f7c9b6"})
        yield o


def slice_of(watchable, ns, i, each, skip=None):
    rows = [watchable.endpoint(address(i * each + k), pod=f"pod-{i}-{k}", ns=ns, ready=k != skip) for k in range(each)]
    return watchable.endpoint_slice(ns, f"service-{i}-abcde", f"service-{i}", rows, [("http", 8080)])


def cpu_s(pid):
    """Of all threads of a process."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(t.read_text(encoding="ascii").split()[0]) for t in threads) / 1e9


def core_s(core):
    """What a core worked, for whomever."""
    row = re.search(rf"^cpu{core} (.*)$", Path("/proc/stat").read_text(encoding="ascii"), re.M)[1].split()
    return sum(int(row[i]) for i in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")


def memory(pids, key, file="status"):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/{file}") as f:
            total += int(re.search(rf"^{key}:\s+(\d+) kB", f.read(), re.M)[1])
    return total / 1024


class State:
    """One of the states a slice goes back and forth between: its frame stands, but for the version."""

    def __init__(self, o, watchable):
        self.o, self.key = o, (o["metadata"]["namespace"], o["metadata"]["name"])
        blank = str(VERSION)
        entry = watchable.Entry(VERSION, "MODIFIED", {**o, "metadata": {**o["metadata"], "resourceVersion": blank}})
        frame = watchable.Watchable().frame("MODIFIED", watchable.RESOURCES["endpointslices"], entry,
                                            watchable.PROTOBUF, False)
        self.before, found, self.after = frame.partition(blank.encode())
        assert found and blank.encode() not in self.after

    def entry(self, version, watchable):
        assert len(str(version)) == len(str(VERSION))
        e = watchable.Entry(version, "MODIFIED", {**self.o, "metadata": {**self.o["metadata"],
                                                                         "resourceVersion": str(version)}})
        e.forms["frame", "MODIFIED", watchable.PROTOBUF, False] = b"%b%d%b" % (self.before, version, self.after)
        return e


class Changes:
    """`rate` slices a second lose or regain an endpoint, some at once every `BEAT_S`, as an API server sends together
    what happened while it was sending. What is sent was made before: the versions alone are put in."""

    def __init__(self, args, cluster, watchable):
        self.args, self.cluster, self.watchable = args, cluster, watchable
        each = max(1, args.endpoints // args.services)
        self.states = [[State(slice_of(watchable, f"team-{i % 200}", i, each, skip), watchable)
                        for skip in (i % each, None)] for i in range(args.services)]
        self.on, self.over, self.made = threading.Event(), threading.Event(), 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def change(self, n):
        rows, held = self.cluster.objects["endpointslices"], self.cluster.history["endpointslices"]
        with self.cluster.changed:
            for _ in range(n):
                turn, i = divmod(self.made, self.args.services)
                state = self.states[i][turn % 2]
                self.cluster.version += 1
                entry = state.entry(self.cluster.version, self.watchable)
                rows[state.key] = entry
                held.append(entry)
                self.made += 1
            del held[:-HISTORY]
            self.cluster.changed.notify_all()

    def run(self):
        while not self.over.is_set():
            if not self.on.wait(0.1):
                continue
            began, made = time.monotonic(), 0
            while self.on.is_set():
                due = int((time.monotonic() - began) * self.args.rate)
                if due > made:
                    self.change(min(due - made, self.args.rate // 10))
                    made += min(due - made, self.args.rate // 10)
                time.sleep(BEAT_S)


def load(world, tools, args, rate, ms):
    """What bench_pace says: quantiles in us."""
    text = world.run("taskset", "-c", str(LOAD_CORE), "chrt", "-f", "2", tools / "bench_pace", "-q", rate, "-t", ms,
                     "127.0.0.1", "53", timeout=ms / 1000 + 30,
                     input="".join(f"service-{i}.team-{i % 200}.svc.cluster.local\n" for i in
                                   range(0, args.services, max(1, args.services // NAMES)))).stdout
    got = {k: float(v) for k, v in re.findall(r"(\w+)=([\d.]+)", text)}
    assert got.get("sent") and got["good"] == got["sent"], f"not all was answered: {text}"
    return got


def metric(server, name):
    return sum(v for k, v in server.metrics().items() if k.split("{")[0] == name)


@contextlib.contextmanager
def on_core(core):
    """What is started meanwhile runs there, and nowhere else."""
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, {LOAD_CORE})


def start(world, args, cluster):
    """The API server and the program, which has read all of it."""
    from apiserver.server import ApiServer
    from coredns import Coredns
    from ns import wait_for
    with world.net(world.outside):
        api = ApiServer(world.dir / "api", "192.0.2.2", 6443)
    cluster.serve(api)
    api.start()
    api.service_account(world.path("/run/secrets/kubernetes.io/serviceaccount"))
    with on_core(SERVER_CORE):
        server = Coredns(world, COREFILE, env={"KUBERNETES_SERVICE_HOST": "192.0.2.2",
                                               "KUBERNETES_SERVICE_PORT": "6443"})
    began = time.monotonic()
    wait_for(lambda: metric(server, "signet_kubernetes_synced"), args.wait, "the first sync")
    return api, server, time.monotonic() - began


def window(world, args, server, changes, rate):
    """One window: what the load saw, and what the program did meanwhile."""
    names = ("signet_kubernetes_events_total", "signet_kubernetes_read_bytes_total", "signet_kubernetes_changes_total")
    had, made, pids, began = [metric(server, n) for n in names], changes.made, server.processes(), time.monotonic()
    used, worked = [cpu_s(pid) for pid in pids], core_s(SERVER_CORE)
    got = load(world, args.tools, args, rate, args.seconds * 1000)
    took = time.monotonic() - began
    spent = [cpu_s(pid) - before for pid, before in zip(pids, used)]
    others = max(0.0, core_s(SERVER_CORE) - worked - sum(spent))
    made = changes.made - made
    events, size, told = (metric(server, n) - h for n, h in zip(names, had))
    return {**got, "made_per_s": made / took, "events_per_s": events / took, "changes_per_s": told / took,
            "bytes_per_event": size / max(1, events), "cpu_server": spent[0] / took,
            "cpu_helper": sum(spent[1:]) / took, "others": others / took}


def pace(world, args, server, cluster, watchable):
    """Windows without and with changes, in turns, at each rate of questions."""
    with contextlib.suppress(OSError):      # ahead of neighbours as a whole; what is inside is its own affair
        Path(f"/proc/{server.pid}/autogroup").write_text("-10", encoding="ascii")
    changes, result = Changes(args, cluster, watchable), {}
    for rate in args.rates:
        pairs = []
        for n in range(args.pairs):
            both = {}
            for state in ("idle", "changing") if n % 2 == 0 else ("changing", "idle"):
                (changes.on.set if state == "changing" else changes.on.clear)()
                time.sleep(0.2)
                both[state] = window(world, args, server, changes, rate)
            changes.on.clear()
            pairs.append(both)
        print_pairs(rate, pairs)
        result[rate] = pairs
    changes.over.set()
    return result


def middle(pairs, state, key):
    return statistics.median(p[state][key] for p in pairs)


def calm(pairs, state, key):
    """Of a quarter of the windows it was less: neighbours add to it and never take away."""
    return sorted(p[state][key] for p in pairs)[len(pairs) // 4]


def ratio(pairs, key):
    return statistics.median(p["changing"][key] / p["idle"][key] for p in pairs)


def print_pairs(rate, pairs):
    print(f"\n{rate} questions a second, {len(pairs)} pairs of windows: medians")
    for key in ("p50", "p90", "p95", "p98", "p99", "p999"):
        quiet, busy = calm(pairs, "idle", key), calm(pairs, "changing", key)
        print(f"  {key:5} us {middle(pairs, 'idle', key):9.1f} idle {middle(pairs, 'changing', key):9.1f} changing"
              f"  x {ratio(pairs, key):.2f}   calmest quarter {quiet:8.1f} {busy:8.1f}  x {busy / quiet:.2f}")
    print("  changing: " + ", ".join(f"{key} {middle(pairs, 'changing', key):.4g}" for key in
                                     ("made_per_s", "events_per_s", "changes_per_s", "bytes_per_event", "cpu_server",
                                      "cpu_helper")))
    others = max(middle(pairs, state, "others") for state in ("idle", "changing"))
    print(f"  neighbours had {100 * others:.0f} % of the program's core", flush=True)


def measure(args):
    import keys as keys_of
    from apiserver import watchable
    from ns import World
    folder = Path(tempfile.mkdtemp(prefix="signet-bench-cluster-"))
    result = {}
    try:
        world = World(keys_of.make(folder), hosts={})
    except BaseException:
        shutil.rmtree(folder)
        raise
    with world:
        cluster = watchable.Watchable()
        cluster.version = VERSION
        cluster.load(list(objects(args, watchable)))
        for plural, rows in cluster.objects.items():
            for entry in rows.values():
                form = plural == "namespaces"
                cluster.frame("ADDED", watchable.RESOURCES[plural], entry, watchable.PROTOBUF, form)
        api, server, result["sync_s"] = start(world, args, cluster)
        pids = server.processes()
        result["sync_cpu_s"] = sum(map(cpu_s, pids))
        result["server_cpu_s"] = cpu_s(pids[0])
        result["read_mb"] = metric(server, "signet_kubernetes_read_bytes_total") / 1e6
        result["peak_mb"] = memory(pids, "VmHWM")
        result["pss_mb"] = memory(pids, "Pss", "smaps_rollup")
        result["kept"] = {k: v for k, v in server.metrics().items() if k.startswith("signet_kubernetes_objects")}
        for key, value in result.items():
            print(f"{key:20} {value if not isinstance(value, float) else round(value, 2)}", flush=True)
        if args.pairs:
            result["pace"] = pace(world, args, server, cluster, watchable)
            result["peak_after_mb"] = memory(pids, "VmHWM")
            result["requests"] = {p: cluster.requests(p) for p in cluster.objects if cluster.requests(p)}
        api.close()
    shutil.rmtree(folder)
    return result


def wrong(args, result):
    """What passes its bound."""
    for key, most in BOUNDS.items():
        if result[key] > most:
            yield f"{key} {result[key]:.2f} is above {most}"
    for rate, pairs in result.get("pace", {}).items():
        if ratio(pairs, "p99") > P99_RATIO:
            yield f"p99 at {rate} questions a second is {ratio(pairs, 'p99'):.2f} x that without changes"
        if middle(pairs, "changing", "events_per_s") < ARRIVED * args.rate:
            yield f"{middle(pairs, 'changing', 'events_per_s'):.0f} events a second came, {args.rate} were to come"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("pods", 150000), ("services", 8000), ("endpoints", 100000), ("rate", 2000), ("seconds", 5),
                          ("pairs", 7), ("wait", 300)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--rates", default="1000,10000", help="questions a second, one after the other")
    parser.add_argument("--build", default=HERE.parent / "build", type=Path, help="build folder of the tools")
    parser.add_argument("--program")
    parser.add_argument("--json")
    parser.add_argument("--judge", action="store_true")
    args = parser.parse_args()
    args.rates = [int(r) for r in args.rates.split(",")]
    args.tools = args.build.resolve() / "bench"
    os.environ["SIGNET_UNDER_TEST"] = args.program or str(args.build / "signet")
    subprocess.run(["ninja", "-C", str(args.build), "bench/bench_pace"], check=True, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(0, {LOAD_CORE})
    result = measure(args)
    if args.json:
        Path(args.json).write_text(json.dumps(result, indent=1), encoding="utf-8")
    above = list(wrong(args, result))
    print("\n".join(above) or "all within bounds")
    sys.exit(1 if above and args.judge else 0)


if __name__ == "__main__":
    main()
