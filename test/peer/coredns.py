"""The program under CoreDNS's name, with a Corefile of a test's own."""
import re
import urllib.request

from server import Server

FOLDER = "/etc/coredns"


class Coredns(Server):
    """`coredns -conf Corefile`."""

    def __init__(self, world, corefile, **options):
        world.write(f"{FOLDER}/Corefile", corefile)
        super().__init__(world, folder=FOLDER, argv=[world.borrowed("coredns"), "-conf", "Corefile"], **options)

    def metrics(self, port=9153):
        """{'name{labels}': value} of the monitoring page."""
        with self.world.net():
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
        return {m[1]: float(m[2]) for m in re.finditer(r"^([^#\s]\S*(?:\{.*\})?) (\S+)$", page, re.M)}


def total(metrics, name, **labels):
    """The sum of a family's samples that have these labels."""
    wanted = [f'{k}="{v}"' for k, v in labels.items()]
    return sum(v for k, v in metrics.items() if k.split("{")[0] == name and all(w in k for w in wanted))
