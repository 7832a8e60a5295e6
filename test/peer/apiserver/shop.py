"""A small cluster with one of everything that names are made of."""
from .watchable import endpoint, endpoint_slice, namespace, pod, service

HTTP = [("http", 80), ("https", 443)]


def shop(own="192.0.2.1"):
    """own: the program's address, that of a pod behind kube-dns."""
    dns = [("dns", 53, "UDP"), ("dns-tcp", 53), ("metrics", 9153)]
    return [
        *(namespace(n, team=t) for n, t in (("default", "core"), ("kube-system", "core"), ("shop", "web"),
                                            ("data", "db"), ("edge", "net"))),
        namespace("quiet"),
        service("default", "kubernetes", "10.96.0.1", ports=[("https", 443)]),
        service("kube-system", "kube-dns", "10.96.0.10", ports=dns),
        service("shop", "web", "10.96.10.11", ports=HTTP, labels={"app": "web"}),
        service("shop", "cart", "10.96.10.12", "fd00:10:96::c", ports=[("", 8080)]),
        service("data", "db", "None", ports=[("pg", 5432)]),
        service("edge", "ext", external="api.partner.example"),
        endpoint_slice("kube-system", "kube-dns-1", "kube-dns", [endpoint(own, pod="coredns-0")], dns),
        endpoint_slice("shop", "web-1", "web", [endpoint("10.244.1.11", pod="web-1"),
                                                endpoint("10.244.1.12", pod="web-2")],
                       [("http", 8080), ("https", 8443)], labels={"app": "web"}),
        endpoint_slice("data", "db-1", "db", [
            endpoint("10.244.1.21", "db-0", "db-0", zone="z-a"), endpoint("10.244.2.22", "db-1", "db-1", zone="z-b"),
            endpoint("10.244.3.23", "db-2", "db-2", ready=False, zone="z-b")], [("pg", 5432)]),
        pod("shop", "web-1", "10.244.1.11"), pod("quiet", "done", "10.244.9.9", "Succeeded"),
        pod("quiet", "job", "10.244.9.10"),
    ]
