#!/usr/bin/python3
"""A container without a runtime: runs a program in an unpacked image as a pod's specification asks. Its own mounts, the
root read-only, the capabilities of a runtime that drops all and adds some, no_new_privs, a user.

  container.py '{"root": DIR, "binds": {"/etc/coredns": DIR}, "uid": 65532, "capabilities": [10], "argv": [...]}'

Called with the rights of root, in the network namespace where it shall run. What a runtime leaves in the permitted set
when it starts a program that is not root's decides whether the program's file may have a capability at all."""
import ctypes
import json
import os
import struct
import subprocess
import sys

PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 8, 24, 38
CAPABILITIES = 41
libc = ctypes.CDLL(None, use_errno=True)


def check(status, what):
    if status:
        raise OSError(ctypes.get_errno(), what)


def mounts(root, binds):
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", root, root], check=True)
    for inner, outer in binds.items():
        subprocess.run(["mount", "--bind", outer, root + inner], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", root + inner], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", root + "/proc"], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", root], check=True)


def capset(bits):
    header = struct.pack("<Ii", 0x20080522, 0)
    data = struct.pack("<IIIIII", bits & 0xffffffff, bits & 0xffffffff, 0, bits >> 32, bits >> 32, 0)
    check(libc.capset(header, data), "capset")


def main(spec):
    check(libc.unshare(0x00020000), "unshare")      # CLONE_NEWNS
    mounts(spec["root"], spec.get("binds", {}))
    os.chroot(spec["root"])
    os.chdir("/")
    bits = sum(1 << c for c in spec["capabilities"])
    for c in range(CAPABILITIES):
        if not bits >> c & 1:
            check(libc.prctl(PR_CAPBSET_DROP, c, 0, 0, 0), "bounding set")
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(*[spec["uid"]] * 3)
    os.setresuid(*[spec["uid"]] * 3)
    capset(bits)
    check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    os.execve(spec["argv"][0], spec["argv"], spec.get("env", {}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
