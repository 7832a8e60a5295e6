#!/usr/bin/python3
"""The image's root file system as a tar archive, the same bytes for the same input:

  rootfs.py --program SIGNET --helper SIGNET-FETCH [--sysroot DIR] --out ROOT.tar

The program and what it is linked with, from this machine or from a root of another architecture (readelf tells; nothing
is run), the authorities' certificates, and a user that is not root. The program has the file capability
NET_BIND_SERVICE: a pod spec that drops every other one lets the user bind port 53 by it."""
import argparse
import io
import re
import struct
import subprocess
import tarfile
from pathlib import Path

USER = 65532
NET_BIND_SERVICE = 10
# struct vfs_cap_data, revision 2 (capabilities(7)): permitted. Not effective from the start: the kernel refuses to run
# such a program where a pod's specification drops the capability. The program raises it where it may.
CAPABILITY = struct.pack("<IIIII", 0x02000000, 1 << NET_BIND_SERVICE, 0, 0, 0)
NAMES = ("coredns", "node-cache")       # borrowed names at the root, where pod specs look for them
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
PASSWD = f"root:x:0:0:root:/:/sbin/nologin\nnonroot:x:{USER}:{USER}:nonroot:/:/sbin/nologin\n"
GROUP = f"root:x:0:\nnonroot:x:{USER}:\n"
LIBRARIES_MAX = 100


def readelf(*words):
    return subprocess.run(["readelf", "-W", *map(str, words)], check=True, capture_output=True, text=True).stdout


class Root:
    """Where libraries are looked for: this machine, or a root of the other architecture."""

    def __init__(self, sysroot, program):
        self.top = Path(sysroot or "/").resolve()
        self.loader = re.search(r"program interpreter: (\S+)\]", readelf("-l", program))[1]
        machine = re.search(r"Machine:.*?(X86-64|AArch64)", readelf("-h", program))[1]
        cpu = {"X86-64": "x86_64", "AArch64": "aarch64"}[machine]
        self.folders = [f"{base}/{cpu}-linux-gnu" for base in ("lib", "usr/lib")]
        self.folders.append(f"usr/{cpu}-linux-gnu/lib")     # Debian's cross compiler keeps the C library there

    def find(self, name):
        for folder in self.folders:
            path = self.top / folder / name
            if path.exists():
                return path.resolve()
        raise SystemExit(f"rootfs.py: {name} is in none of {', '.join(self.folders)} below {self.top}")

    def libraries(self, programs):
        """Every library the programs need, and those need, by name."""
        found, queue = {}, list(programs)
        while queue and len(found) < LIBRARIES_MAX:
            for name in re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d", queue.pop(0))):
                if name not in found and name != Path(self.loader).name:
                    found[name] = self.find(name)
                    queue.append(found[name])
        found[Path(self.loader).name] = self.find(Path(self.loader).name)
        return found


class Archive:
    def __init__(self, path):
        self.tar = tarfile.open(path, "w", format=tarfile.PAX_FORMAT)
        self.folders = set()

    def folder(self, path):
        for parent in [*reversed(Path(path).parents), Path(path)]:
            if str(parent) != "." and str(parent) not in self.folders:
                self.folders.add(str(parent))
                self.entry(str(parent), tarfile.DIRTYPE, 0o755)

    def entry(self, name, kind, mode, **more):
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.mtime = kind, mode, 0
        info.uname = info.gname = "root"
        info.linkname = more.get("target", "")
        info.pax_headers = more.get("pax", {})
        data = more.get("data", b"")
        info.size = len(data)
        self.tar.addfile(info, io.BytesIO(data))

    def file(self, name, data, mode=0o644, **more):
        self.folder(Path(name).parent)
        self.entry(name, tarfile.REGTYPE, mode, data=data, **more)

    def link(self, name, target):
        self.entry(name, tarfile.SYMTYPE, 0o777, target=target)


def stripped(path, work, strip):
    if not strip:
        return Path(path).read_bytes()
    to = work / f"{Path(path).name}.stripped"
    subprocess.run([strip, "--strip-unneeded", "-o", str(to), str(path)], check=True)
    data = to.read_bytes()
    to.unlink()
    return data


def make(args):
    root, out = Root(args.sysroot, args.program), Archive(args.out)
    work = Path(args.out).resolve().parent
    programs = [args.program, args.helper]
    # In a PAX header an attribute's bytes are what they are; tarfile takes them as text.
    capability = {"SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape")}
    out.file("usr/sbin/signet", stripped(args.program, work, args.strip), 0o755, pax=capability)
    out.file("usr/libexec/signet/signet-fetch", stripped(args.helper, work, args.strip), 0o755)
    for name in NAMES:
        out.link(name, "usr/sbin/signet")
    out.file(root.loader.lstrip("/"), root.find(Path(root.loader).name).read_bytes(), 0o755)
    for name, path in sorted(root.libraries(programs).items()):
        if name != Path(root.loader).name:
            out.file(f"usr/lib/{name}", path.read_bytes())
    bundle = root.top / BUNDLE
    out.file(BUNDLE, (bundle if bundle.exists() else Path("/", BUNDLE)).read_bytes())
    out.file("etc/passwd", PASSWD.encode())
    out.file("etc/group", GROUP.encode())
    out.folder("etc/coredns")
    out.entry("tmp", tarfile.DIRTYPE, 0o1777)
    out.tar.close()


if __name__ == "__main__":
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--program", required=True)
    words.add_argument("--helper", required=True)
    words.add_argument("--sysroot")
    words.add_argument("--strip", default="strip", help="empty: the programs are stripped already")
    words.add_argument("--out", required=True)
    make(words.parse_args())
