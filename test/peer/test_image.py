"""The container image: what is in it, and that it runs as kubeadm's and k3s's pod specifications run CoreDNS."""
import contextlib
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from apiserver.server import ApiServer
from apiserver.watchable import Watchable, namespace
from ask import ask
from ns import program, wait_for

TOP = Path(__file__).resolve().parents[2]
BUILD = TOP / "deploy/container/build.sh"
DATA = Path(__file__).resolve().parent / "data/corefile"
NONROOT, NET_BIND_SERVICE, NET_ADMIN = 65532, 10, 12
COMPRESSED_MAX = 15 << 20
COREFILE = """.:53 {
    errors
    log
    health {
        lameduck 2s
    }
    ready
    prometheus :9153
    hosts {
        192.0.2.99 here.example.org
    }
    whoami
    reload 2s
}
"""

if os.environ.get("SIGNET_SANITIZED"):
    pytest.skip("an image holds the release build", allow_module_level=True)
pytestmark = pytest.mark.skipif(not all(map(shutil.which, ("readelf", "strip"))), reason="not installed: binutils")


def build(out, *words):
    done = subprocess.run([BUILD, "--program", program(), *words, out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    if not program().exists() or "unbound" in program().name:
        pytest.skip("no program to put into an image")
    words = [] if shutil.which("umoci") else ["--tar-only"]
    return build(tmp_path_factory.mktemp("image"), "--tag", "test", *words)


def layout(image):
    """The manifest, the configuration and the layer of the image."""
    if not (image / "oci").exists():
        pytest.skip("not installed: umoci")

    def blob(digest):
        data = (image / "oci/blobs" / digest.replace(":", "/")).read_bytes()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == digest
        return data
    index = json.loads((image / "oci/index.json").read_text())
    manifest = json.loads(blob(index["manifests"][0]["digest"]))
    return manifest, json.loads(blob(manifest["config"]["digest"])), blob(manifest["layers"][0]["digest"])


# --- what is in it -------------------------------------------------------------------------------------------

def test_layout_is_small_and_says_how_to_run(image):
    manifest, config, layer = layout(image)
    assert len(manifest["layers"]) == 1
    assert len(layer) < COMPRESSED_MAX
    assert config["architecture"] == "amd64" and config["os"] == "linux"
    assert config["config"]["User"] == f"{NONROOT}:{NONROOT}"
    assert config["config"]["Entrypoint"] == ["/coredns"] and config["config"]["WorkingDir"] == "/"
    assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(gzip.decompress(layer)).hexdigest()]
    assert gzip.decompress(layer) == (image / "root.tar").read_bytes()


def test_the_same_input_gives_the_same_image(image, tmp_path):
    again = build(tmp_path / "again", "--tar-only")
    assert (again / "root.tar").read_bytes() == (image / "root.tar").read_bytes()


def test_nothing_is_in_it_that_is_not_needed(image):
    with tarfile.open(image / "root.tar") as tar:
        members = {m.name: m for m in tar}
    for name, member in members.items():
        assert member.uid == member.gid == 0 and (not member.mode & 0o6022 or member.issym() or name == "tmp"), name
        folder = name.split("/")[0]
        assert folder in ("usr", "etc", "lib", "lib64", "tmp", "coredns", "node-cache"), name
    for shell in ("sh", "bash", "busybox", "ls"):
        assert not any(n.endswith(f"bin/{shell}") for n in members)
    assert members["coredns"].linkname == "usr/sbin/signet"
    caps = [n for n, m in members.items() if any("security.capability" in h for h in m.pax_headers)]
    assert caps == ["usr/sbin/signet"]
    assert "etc/ssl/certs/ca-certificates.crt" in members


# --- running it ----------------------------------------------------------------------------------------------

class Pod:
    """The image's program in a world, as a pod's container."""

    def __init__(self, world, image, corefile, **spec):
        self.world = world
        self.root = world.dir / "rootfs"
        self.root.mkdir()
        done = subprocess.run(["tar", "-C", self.root, "--xattrs", "--xattrs-include=*", "-xpf", image / "root.tar"],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        # What a runtime puts there for each container.
        for folder in ("proc", "run", "tmp"):
            (self.root / folder).mkdir(exist_ok=True)
        (self.root / "etc/resolv.conf").write_text("nameserver 8.8.8.8\n")
        # A ConfigMap's folder: the files are links through one link that is exchanged.
        self.config = world.dir / "configmap"
        self.write(corefile)
        self.spec = {"root": str(self.root), "binds": {"/etc/coredns": str(self.config)}, "uid": NONROOT,
                     "capabilities": [NET_BIND_SERVICE], "argv": ["/coredns", "-conf", "/etc/coredns/Corefile"], **spec}
        self.log = world.dir / "pod.log"
        self.process = None

    def write(self, corefile, **files):
        data = self.config / f"..{time.monotonic_ns()}"
        data.mkdir(parents=True)
        for name, text in {"Corefile": corefile, **files}.items():
            (data / name).write_text(text)
            link = self.config / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        (self.config / "..new").symlink_to(data.name)
        (self.config / "..new").rename(self.config / "..data")

    def account(self, api):
        """The files by which a pod may ask the API."""
        account = "/var/run/secrets/kubernetes.io/serviceaccount"
        (self.root / account[1:]).mkdir(parents=True)
        self.spec["binds"][account] = str(api.service_account(self.world.dir / "account"))

    def start(self):
        script = Path(__file__).resolve().parent / "container.py"
        with open(self.log, "wb") as out:
            self.process = self.world.popen([sys.executable, script, json.dumps(self.spec)], stdout=out, stderr=out)
        return self

    def text(self):
        return self.log.read_text(errors="replace")

    def pid(self):
        """Of the program itself: what nsenter's shell became."""
        return self.process.pid

    def get(self, port, path):
        try:
            with self.world.net(), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as page:
                return page.status
        except urllib.error.HTTPError as e:
            return e.code
        except OSError:
            return None

    def wait(self, port=8080, path="/health", status=200):
        def there():
            assert self.process.poll() is None, self.text()
            return self.get(port, path) == status
        wait_for(there, 20, f"{path} {status}")
        return self


@pytest.fixture
def pods(world, image):
    def make(corefile=COREFILE, **spec):
        return Pod(world, image, corefile, **spec)
    yield make


def status_of(pid):
    rows = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    return {k: v.strip() for k, v in rows.items()}


def port_start(world, start):
    path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    done = world.run("sh", "-c", f"echo {start} > {path}")
    if done.returncode:
        pytest.skip(f"ip_unprivileged_port_start is not ours to set: {done.stderr}")


@pytest.mark.parametrize("start,capabilities", [(1024, [NET_BIND_SERVICE]), (0, [NET_BIND_SERVICE]), (0, [])])
def test_a_user_that_is_not_root_binds_port_53(world, pods, start, capabilities):
    """kubeadm's specification, containerd's ip_unprivileged_port_start=0 beside it, and one that adds nothing."""
    port_start(world, start)
    pod = pods(capabilities=capabilities).start().wait().wait(8181, "/ready").wait(9153, "/metrics")
    rows = status_of(pod.pid())
    assert rows["Uid"].split() == [str(NONROOT)] * 4 and rows["NoNewPrivs"] == "1"
    bits = sum(1 << c for c in capabilities)
    assert int(rows["CapBnd"], 16) == bits and int(rows["CapPrm"], 16) | bits == bits
    assert int(rows["CapInh"], 16) == int(rows["CapAmb"], 16) == 0
    reply = ask(world, "here.example.org")
    assert "192.0.2.99" in str(reply.answer)


def test_without_either_it_says_that_it_may_not(world, pods):
    port_start(world, 1024)
    pod = pods(capabilities=[]).start()
    wait_for(lambda: pod.process.poll() is not None, 20, "its end")
    assert pod.process.returncode == 1
    assert "53" in pod.text() and "ermission denied" in pod.text()


def test_root_without_rights_serves_as_well(world, pods):
    """A specification that names no user, for an image whose user is root, drops the right to become another."""
    port_start(world, 1024)
    pod = pods(uid=0).start().wait()
    assert int(status_of(pod.pid())["CapEff"], 16) == 1 << NET_BIND_SERVICE
    assert ask(world, "here.example.org").answer


def test_the_root_is_read_only_and_a_changed_configmap_is_read(world, pods):
    pod = pods().start().wait()
    inside = Path(f"/proc/{pod.pid()}/root")
    with pytest.raises(OSError):
        (inside / "etc/new").write_text("x")
    pod.write(COREFILE.replace("192.0.2.99", "192.0.2.98"))
    wait_for(lambda: "192.0.2.98" in str(ask(world, "here.example.org").answer), 20, "the new Corefile")
    assert "Reloading complete" in pod.text()


def test_lameduck_answers_until_the_end(world, pods):
    pod = pods().start().wait().wait(8181, "/ready")
    os.kill(pod.pid(), signal.SIGTERM)
    wait_for(lambda: "lameduck" in pod.text(), 10, "the line that says so")
    assert ask(world, "here.example.org").answer
    assert pod.get(8181, "/ready") == 503
    assert pod.process.wait(timeout=20) == 0


def test_umoci_unpacks_it_with_its_capability(image, tmp_path):
    layout(image)
    done = subprocess.run(["umoci", "raw", "unpack", "--image", f"{image}/oci:test", tmp_path / "root"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    value = os.getxattr(tmp_path / "root/usr/sbin/signet", "security.capability")
    assert value[4:8] == (1 << NET_BIND_SERVICE).to_bytes(4, "little")
    with contextlib.suppress(OSError):
        shutil.rmtree(tmp_path / "root")


def test_buildah_makes_the_same_of_the_containerfile(image, tmp_path):
    _, config, _ = layout(image)
    if not shutil.which("buildah"):
        pytest.skip("not installed: buildah")
    base = [shutil.which("buildah"), "--storage-driver", "vfs", "--root", tmp_path / "store",
            "--runroot", tmp_path / "run"]
    done = subprocess.run([*base, "build", "-t", "signet", "-f", BUILD.parent / "Containerfile", image],
                          capture_output=True, text=True, timeout=60, check=False)
    if done.returncode and "ermitted" in done.stderr:
        pytest.skip(f"buildah is refused here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    done = subprocess.run([*base, "inspect", "--type", "image", "signet"], capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)["OCIv1"]
    for word in ("User", "Entrypoint", "WorkingDir"):
        assert made["config"][word] == config["config"][word]
    ports = [{p.removesuffix("/tcp") for p in c["config"]["ExposedPorts"]} for c in (made, config)]
    assert ports[0] == ports[1]


def test_the_nodes_cache_runs_as_its_daemonset_says(world, pods):
    """Root's name with NET_ADMIN and NET_BIND_SERVICE alone, a read-only root, the entrypoint /node-cache."""
    pod = pods(COREFILE.replace(".:53 {\n", ".:53 {\n    bind 169.254.20.10\n"), uid=0,
               capabilities=[NET_BIND_SERVICE, NET_ADMIN],
               argv=["/node-cache", "-localip", "169.254.20.10", "-conf", "/etc/coredns/Corefile"])
    pod.start()
    wait_for(lambda: "the resolver answers" in pod.text(), 20, "its first answer")
    assert "192.0.2.99" in str(ask(world, "here.example.org", server="169.254.20.10").answer)
    assert "[ERROR]" not in pod.text()


def test_the_helper_runs_in_it(world, pods, tmp_path):
    """signet-fetch with its libraries and the authorities that the kubelet mounts: the plan, from within a pod."""
    with world.net():
        api = ApiServer(tmp_path / "api")
    with api:
        Watchable(api).put(namespace("shop"))
        pod = pods(env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)},
                   argv=["/usr/sbin/signet", "manifests", "--plan"])
        pod.account(api)
        assert pod.start().process.wait(timeout=20) == 1, pod.text()
    assert "kubectl label namespace shop dns-access=allowed" in pod.text()


# --- pod specifications --------------------------------------------------------------------------------------

NUMBERS = {"NET_BIND_SERVICE": NET_BIND_SERVICE, "NET_ADMIN": NET_ADMIN}
CLUSTERS = {"kubeadm": {}, "k3s": {"NodeHosts": "192.0.2.7 node-1\n"}, "ours": {}}


def specification(name):
    """A Deployment's pod: those of other programs as they stand, and the one that `signet manifests` prints."""
    yaml = pytest.importorskip("yaml", reason="not installed: python3-yaml")
    if name == "ours":
        text = subprocess.run([program(), "manifests", "--only", "Deployment"], capture_output=True, text=True,
                              check=True).stdout
    else:
        text = (DATA.parent / f"cluster/{name}-deployment.yaml").read_text()
    return yaml.safe_load(text)["spec"]["template"]["spec"]


def as_a_runtime_does(pod):
    """What a runtime makes of the only container, with our image in its place."""
    box, = pod["containers"]
    context = {**pod.get("securityContext", {}), **box["securityContext"]}
    assert context["readOnlyRootFilesystem"] is True and context["allowPrivilegeEscalation"] is False
    assert [c.upper() for c in context["capabilities"]["drop"]] == ["ALL"]
    return {"argv": [*box.get("command", ["/coredns"]), *box["args"]], "uid": context.get("runAsUser", NONROOT),
            "capabilities": [NUMBERS[c] for c in context["capabilities"]["add"]]}


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_clusters_own_pod_and_corefile(world, pods, tmp_path, name):
    """Both unchanged but for the image: it starts, its probes are answered, and so are questions."""
    spec = specification(name)
    with world.net():
        api = ApiServer(tmp_path / "api")
    with api:
        Watchable(api).put(namespace("default"))
        pod = pods(**as_a_runtime_does(spec),
                   env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)})
        corefile = (DATA / f"{'kubeadm' if name == 'ours' else name}.Corefile").read_text()
        pod.write(corefile, **CLUSTERS[name])
        pod.account(api)
        if name == "k3s":                     # a second ConfigMap, mounted within the first
            custom = world.dir / "custom"
            custom.mkdir()
            (custom / "extra.override").write_text("log\n")
            (pod.config / "custom").mkdir()
            pod.spec["binds"]["/etc/coredns/custom"] = str(custom)
        assert {v["mountPath"] for v in spec["containers"][0]["volumeMounts"]} <= set(pod.spec["binds"])
        pod.start()
        probes = [spec["containers"][0][p]["httpGet"] for p in ("livenessProbe", "readinessProbe")]
        for probe in probes:
            pod.wait(probe["port"], probe["path"])
        if name == "k3s":
            assert "192.0.2.7" in str(ask(world, "node-1").answer)
            wait_for(lambda: "node-1." in pod.text(), 10, "the line that the override asks for")
        os.kill(pod.pid(), signal.SIGTERM)
        assert pod.process.wait(timeout=30) == 0, pod.text()
