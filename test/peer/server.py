"""The program under test, running inside a world under a borrowed name."""
import contextlib
import os
import re
import signal
import socket
import struct
import time

from ns import CONF_DIR, START_MS, wait_for

LOG = "/var/log/unbound/unbound.log"
STOP_S = 20
PROBE = struct.pack("!6H", 0x5167, 0x0100, 1, 0, 0, 0) + b"\x07version\x04bind\0" + struct.pack("!HH", 16, 3)


def memory_of(pid) -> int:
    """Pss in bytes."""
    with open(f"/proc/{pid}/smaps_rollup") as f:
        return int(re.search(r"^Pss:\s+(\d+) kB", f.read(), re.M).group(1)) * 1024


class Server:
    """`unbound -d -c FILE` in the folder of FILE; by default the verbatim hardening.conf."""

    def __init__(self, world, conf=None, file="hardening.conf", folder=CONF_DIR, port=53, ready=True, args=(),
                 argv=None, env=None):
        self.world, self.port = world, port
        if conf is not None:
            world.write(f"{folder}/{file}", conf)
        self.stderr_path = world.dir / f"stderr-{len(world.processes)}"
        self.started = time.monotonic()
        with open(self.stderr_path, "wb") as err:
            self.process = world.popen(argv or [world.borrowed("unbound"), "-d", *args, "-c", file], cwd=folder,
                                       stdout=err, stderr=err, env={**os.environ, **(env or {})})
        if ready:
            self.wait_ready()

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def wait_ready(self):
        """Any answer at all: version.bind needs no upstream."""
        with self.world.net():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(("127.0.0.1", self.port))

        def answered():
            assert self.alive(), f"it ended with {self.process.returncode}: {self.stderr()[-2000:]}{self.log()[-2000:]}"
            with contextlib.suppress(OSError):
                sock.send(PROBE)
            time.sleep(0.002)
            with contextlib.suppress(OSError):
                return sock.recv(512)
            return None
        with sock:
            wait_for(answered, START_MS / 1000, "the first answer")
        return self

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def log(self, path=LOG):
        return self.world.read(path)

    def lines(self, pattern, path=LOG):
        """Log lines (file and stderr) that hold a pattern."""
        return [line for line in (self.log(path) + self.stderr()).splitlines() if re.search(pattern, line)]

    def wait_log(self, pattern, seconds=5, count=1):
        wait_for(lambda: len(self.lines(pattern)) >= count, seconds, f"{count} x {pattern!r} in the log")
        return self.lines(pattern)

    def processes(self):
        """The pids of the program: it and what it started."""
        mine, parents = {self.pid}, {}
        for pid in self.world.pids():
            with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as f:
                parents[pid] = int(f.read().rsplit(")", 1)[1].split()[1])
        for _ in parents:
            mine |= {pid for pid, parent in parents.items() if parent in mine}
        return sorted(mine)

    def hup(self):
        os.kill(self.pid, signal.SIGHUP)

    def stop(self):
        """SIGTERM, and the exit status."""
        if self.alive():
            os.kill(self.pid, signal.SIGTERM)
        return self.process.wait(STOP_S)
