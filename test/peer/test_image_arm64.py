"""The image for arm64, as `make image-arm64` leaves it: all of it is of that machine, and its program serves by qemu's
user mode. Cross-building takes minutes, so it is a target of its own; where it was not made these are skipped."""
import hashlib
import json
import shutil
import signal
import subprocess
import tarfile
from pathlib import Path

import dns.flags
import pytest

from ask import ask, ede, rcode, values
from conftest import needs
from coredns import FOLDER
from hosts import address_of
from server import Server

IMAGE = Path(__file__).resolve().parents[2] / "build" / "image-arm64"
AARCH64, COMPRESSED_MAX = 183, 15 << 20
COREFILE = """.:53 {
    errors
    hosts {
        192.0.2.99 here.example.org
        fallthrough
    }
    dnssec {
        validate
        trust-anchor /etc/coredns/anchors
    }
    cache 30
    forward . 9.9.9.9
}
"""
pytestmark = [pytest.mark.skipif(not (IMAGE / "root.tar").exists(), reason=f"no {IMAGE} (make image-arm64 builds it)"),
              needs("qemu-aarch64-static")]


def test_all_of_it_is_for_that_machine():
    machines = {}
    with tarfile.open(IMAGE / "root.tar") as tar:
        for member in tar:
            head = tar.extractfile(member).read(20) if member.isfile() else b""
            if head[:4] == b"\x7fELF":
                machines[member.name] = int.from_bytes(head[18:20], "little")
    assert {"usr/sbin/signet", "usr/libexec/signet/signet-fetch"} <= set(machines) and len(machines) > 10
    assert set(machines.values()) == {AARCH64}, machines


def test_it_says_so_and_is_small():
    if not (IMAGE / "oci").exists():
        pytest.skip("not installed: umoci")

    def blob(digest):
        data = (IMAGE / "oci/blobs" / digest.replace(":", "/")).read_bytes()
        assert "sha256:" + hashlib.sha256(data).hexdigest() == digest
        return data
    manifest = json.loads(blob(json.loads((IMAGE / "oci/index.json").read_text())["manifests"][0]["digest"]))
    config = json.loads(blob(manifest["config"]["digest"]))
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert config["config"]["Entrypoint"] == ["/coredns"]
    assert sum(layer["size"] for layer in manifest["layers"]) < COMPRESSED_MAX


@pytest.fixture(name="program")
def unpacked(world, keys):
    """The words that run a program of the image under a borrowed name."""
    root = world.dir / "rootfs"
    root.mkdir()
    done = subprocess.run(["tar", "-C", root, "-xf", IMAGE / "root.tar"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    world.write(f"{FOLDER}/Corefile", COREFILE)
    world.write(f"{FOLDER}/anchors", (keys / "root.key").read_text())
    return lambda name: [shutil.which("qemu-aarch64-static"), "-0", name, "-L", root, root / "usr/sbin/signet"]


def test_it_serves(world, program):
    """From a file, from an upstream, and with signatures checked by that machine's code."""
    server = Server(world, folder=FOLDER, argv=[*program("coredns"), "-conf", "Corefile"])
    assert values(ask(world, "here.example.org")) == ["192.0.2.99"]
    for tcp in (False, True):
        name = f"x{int(tcp)}.com"
        assert values(ask(world, name, tcp=tcp, timeout=10)) == [address_of(name)]
    proved, forged = (ask(world, name, want_dnssec=True, timeout=10) for name in ("www.secure", "www.forged"))
    assert rcode(proved) == "NOERROR" and proved.flags & dns.flags.AD, proved
    assert rcode(forged) == "SERVFAIL" and ede(forged), forged
    dug = world.run("dig", "@127.0.0.1", "+short", "here.example.org") if shutil.which("dig") else None
    assert dug is None or dug.stdout == "192.0.2.99\n"
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0


def test_it_says_what_it_is(world, program):
    done = world.enter([*program("coredns"), "-version"], capture_output=True, text=True)
    assert done.returncode == 0 and "linux/arm64" in done.stdout, done.stdout + done.stderr
