"""Networks, each made inside a namespace of its own: what is broken, and the endpoint that suffers from it.

A scenario returns the endpoints of a crew and the environment its process has. Names live under `lab.example`.
"""

import socket
import subprocess
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from nameserver import Nameserver
from proxy import Proxy
from services import SlowTls, deaf, nobody, service

HEALTHY, DEAD, OTHER = "127.0.0.52", "127.0.0.51", "127.0.0.53"
SERVICE = "127.0.3.1"
KEEP = []


@dataclass
class Scene:
    endpoints: list
    environment: dict = field(default_factory=dict)
    settings: list = field(default_factory=list)


def endpoint(host, port, scheme="http", clients=("httpx",), kind="tool"):
    return {
        "subject": f"host:{host}:{port}",
        "scheme": scheme,
        "host": host,
        "port": port,
        "kind": kind,
        "used_by": ["tool:lookup"] if kind == "tool" else ["agent:Clerk/llm"],
        "clients": list(clients),
        "source": "tools.py:7",
        "location": {"file": "tools.py", "line": 7, "function": "lookup", "source": ""},
    }


def void(*addresses):
    """IPv6 addresses that swallow every packet: a link whose far end is somebody else's."""
    for command in (
        "ip link add here type veth peer name there",
        "ip link set there up",
        "ip link set here up",
        "ip -6 addr add 2001:db8::5/64 dev here nodad",
        *(f"ip -6 neigh add {each} lladdr 02:00:00:00:00:77 dev here nud permanent" for each in addresses),
    ):
        subprocess.run(command.split(), check=True)


def resolver(*nameservers, options=""):
    text = "".join(f"nameserver {each}\n" for each in nameservers) + (f"options {options}\n" if options else "")
    Path("/etc/resolv.conf").write_text(text, encoding="ascii")


def keep(*things):
    KEEP.extend(things)
    return things[0]


def healthy():
    """One nameserver, a service that answers, no proxy."""
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def first_nameserver_dead():
    """The first nameserver is silent, the second knows."""
    resolver(DEAD, HEALTHY)
    keep(Nameserver(DEAD, silent=True), Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def second_nameserver_dead():
    """Only the second nameserver is silent: nothing waits for it."""
    resolver(HEALTHY, DEAD)
    keep(Nameserver(DEAD, silent=True), Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def slow_nameserver():
    """The only nameserver thinks for 1.5 s."""
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}, delay=1.5))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


SEARCHED = "shop.svc.cluster.local svc.cluster.local cluster.local lab.internal"


def search_list():
    """A pod's resolv.conf: four search domains come first, and each takes 0.25 s to say no."""
    resolver(HEALTHY, options="ndots:5")
    path = Path("/etc/resolv.conf")
    path.write_text(f"search {SEARCHED}\n{path.read_text(encoding='ascii')}", encoding="ascii")
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}, delay=0.25))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def search_list_of_a_quick_nameserver():
    """The same, and each no takes a moment."""
    resolver(HEALTHY, options="ndots:5")
    path = Path("/etc/resolv.conf")
    path.write_text(f"search {SEARCHED}\n{path.read_text(encoding='ascii')}", encoding="ascii")
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def aaaa_unanswered():
    """A is answered, AAAA is not: the resolver waits for both."""
    resolver(HEALTHY, options="timeout:2")
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}, silent=["AAAA"]))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def all_nameservers_dead():
    """Nobody answers."""
    resolver(DEAD, options="timeout:2 attempts:1")
    keep(Nameserver(DEAD, silent=True))
    return Scene([endpoint("svc.lab.example", 8080)])


V6 = "2001:db8::77"


def ipv6_swallowed():
    """The AAAA record leads into a black hole, the A record to the service."""
    void(V6)
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY, {"svc.lab.example": [V6, SERVICE]}))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def ipv6_swallowed_for_a_client_that_races():
    """The same, and aiohttp tries both at once."""
    scene = ipv6_swallowed()
    scene.endpoints[0]["clients"] = ["aiohttp"]
    return scene


def ipv6_refused():
    """Nothing listens on the AAAA record's address, which says so at once."""
    subprocess.run(["ip", "-6", "addr", "add", f"{V6}/128", "dev", "lo"], check=True)
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY, {"svc.lab.example": [V6, SERVICE]}))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])


def name_unknown():
    """NXDOMAIN."""
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY))
    return Scene([endpoint("gone.lab.example", 8080)])


def split_horizon():
    """The first nameserver denies a name that the second knows."""
    resolver(HEALTHY, OTHER)
    keep(Nameserver(HEALTHY), Nameserver(OTHER, {"svc.lab.example": [SERVICE]}))
    return Scene([endpoint("svc.lab.example", 8080)])


def refused():
    """Nothing listens."""
    return Scene([endpoint(SERVICE, nobody(SERVICE))])


def dropped():
    """The kernel drops every SYN."""
    listener = keep(deaf(SERVICE))[0]
    return Scene([endpoint(SERVICE, listener.getsockname()[1])])


def unused_port_refused():
    """Nothing listens on an endpoint nobody uses."""
    spare = endpoint(SERVICE, nobody(SERVICE))
    return Scene([{**spare, "used_by": []}])


def cidr_in_no_proxy():
    """NO_PROXY names the internal range; requests honours that, httpx does not; the proxy knows nothing of the host."""
    proxy = keep(Proxy(status=503))
    port = keep(service(SERVICE)).server_port
    return Scene(
        [endpoint(SERVICE, port, clients=["httpx", "requests", "urllib"])],
        {"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.3.0/24"},
    )


def cidr_honoured():
    """The same, and every client of the endpoint honours the range."""
    scene = cidr_in_no_proxy()
    scene.endpoints[0]["clients"] = ["requests"]
    return scene


def cidr_ignored_by_a_proxy_that_serves():
    """httpx ignores the range, and the proxy reaches the host all the same."""
    proxy = keep(Proxy())
    port = keep(service(SERVICE)).server_port
    return Scene([endpoint(SERVICE, port)], {"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.3.0/24"})


def slow_tls():
    """The server takes 0.6 s to answer a ClientHello; the tool allows 1 s."""
    server = keep(SlowTls(SERVICE, pause=0.6))
    there = endpoint(SERVICE, server.port, "https")
    limit = {"subject": "tool:lookup", "scope": "tool", "name": "timeout", "value": {"timeout": 1.0}}
    limit["provenance"] = {"origin": "python", "where": "tools.py:7", "location": there["location"]}
    return Scene([there], {"SSL_CERT_FILE": server.authority}, [limit])


def certificate_of_a_private_authority():
    """REQUESTS_CA_BUNDLE names the authority: that helps requests, and not httpx."""
    server = keep(SlowTls(SERVICE, pause=0.0))
    there = endpoint(SERVICE, server.port, "https", ["httpx", "requests"])
    return Scene([there], {"REQUESTS_CA_BUNDLE": server.authority})


def certificate_every_client_trusts():
    """The same, and SSL_CERT_FILE names it as well."""
    scene = certificate_of_a_private_authority()
    scene.environment["SSL_CERT_FILE"] = scene.environment["REQUESTS_CA_BUNDLE"]
    return scene


def certificate_expired():
    """The authority is trusted, the certificate was valid until yesterday."""
    server = keep(SlowTls(SERVICE, pause=0.0, not_after=datetime.now(timezone.utc) - timedelta(days=1)))
    return Scene([endpoint(SERVICE, server.port, "https")], {"SSL_CERT_FILE": server.authority})


def certificate_for_another_name():
    """The authority is trusted, the certificate names another address."""
    server = keep(SlowTls(SERVICE, pause=0.0, named="127.0.9.9"))
    return Scene([endpoint(SERVICE, server.port, "https")], {"SSL_CERT_FILE": server.authority})


def tls_stalls():
    """Connections are accepted, and nobody ever answers a ClientHello."""
    listener = keep(socket.create_server((SERVICE, 0)))
    return Scene([endpoint(SERVICE, listener.getsockname()[1], "https")])


def tls_takes_its_time():
    """The same, and after 4.5 s the handshake comes about."""
    server = keep(SlowTls(SERVICE, pause=4.5))
    return Scene([endpoint(SERVICE, server.port, "https")], {"SSL_CERT_FILE": server.authority})


def tls_broken():
    """The server closes the connection on the ClientHello: an answer, if not a kind one."""
    listener = keep(socket.create_server((SERVICE, 0)))
    threading.Thread(target=lambda: [listener.accept()[0].close() for _ in range(99)], daemon=True).start()
    return Scene([endpoint(SERVICE, listener.getsockname()[1], "https")])


def bundle_missing():
    """SSL_CERT_FILE names a file that is not there."""
    server = keep(SlowTls(SERVICE, pause=0.0))
    return Scene([endpoint(SERVICE, server.port, "https")], {"SSL_CERT_FILE": "/nowhere/ca.pem"})


def certificate_behind_a_proxy():
    """Reached through a proxy's tunnel alone; the authority is private."""
    server = keep(SlowTls(SERVICE, pause=0.0))
    proxy = keep(Proxy())
    return Scene([endpoint(SERVICE, server.port, "https", ["openai"], "llm")], {"HTTPS_PROXY": proxy.url})


def internal_name_not_excepted():
    """A local name that NO_PROXY forgot, and a proxy that cannot reach it."""
    proxy = keep(Proxy(status=504))
    return Scene(
        [endpoint("localhost", keep(service()).server_port)], {"HTTP_PROXY": proxy.url, "NO_PROXY": "127.0.0.1"}
    )


def proxy_works():
    """A proxy that lets everything through, plain and tunnelled."""
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}))
    proxy = keep(Proxy())
    port = keep(service(SERVICE)).server_port
    return Scene(
        [endpoint("svc.lab.example", port), endpoint("svc.lab.example", keep(service(SERVICE)).server_port, "https")],
        {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url},
    )


def proxy_dead():
    """Nothing listens where HTTPS_PROXY points."""
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY))
    return Scene(
        [endpoint("api.lab.example", 443, "https", ["openai"], "llm")],
        {"HTTPS_PROXY": f"http://user:secret-word@127.0.0.1:{nobody()}"},
    )


def dead_proxy_before_an_internal_name():
    """A dead proxy, and a local name that NO_PROXY forgot."""
    there = endpoint("localhost", keep(service()).server_port)
    return Scene([there], {"HTTP_PROXY": f"http://127.0.0.1:{nobody()}", "NO_PROXY": "elsewhere"})


def proxy_refuses():
    """The proxy wants a password nobody gave."""
    proxy = keep(Proxy(status=407))
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY))
    return Scene([endpoint("api.lab.example", 443, "https", ["requests"])], {"HTTPS_PROXY": proxy.url})


def proxy_forbids():
    """The proxy's policy does not let a port through; two clients ask it."""
    proxy = keep(Proxy(status=403))
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY))
    return Scene([endpoint("api.lab.example", 8443, "https", ["httpx", "requests"])], {"HTTPS_PROXY": proxy.url})


def proxy_cannot_reach():
    """The proxy answers for a host it cannot reach."""
    proxy = keep(Proxy(status=503))
    resolver(HEALTHY)
    keep(Nameserver(HEALTHY))
    return Scene([endpoint("api.lab.example", 443, "https", ["requests"])], {"HTTPS_PROXY": proxy.url})


def socks_proxy():
    """ALL_PROXY names a SOCKS proxy; neither httpx nor requests has its extra."""
    port = keep(service(SERVICE)).server_port
    return Scene([endpoint(SERVICE, port, clients=["httpx", "requests"])], {"ALL_PROXY": "socks5://127.0.0.1:1080"})


def socks_proxy_not_for_this_host():
    """requests alone goes there, and NO_PROXY names the host: nothing is needed."""
    scene = socks_proxy()
    scene.endpoints[0]["clients"] = ["requests"]
    scene.environment["NO_PROXY"] = SERVICE
    return scene


def proxy_slow():
    """CONNECT takes 2.6 s."""
    proxy = keep(Proxy(delay=2.6))
    port = keep(service(SERVICE)).server_port
    return Scene([endpoint(SERVICE, port, "https", ["urllib"])], {"HTTPS_PROXY": proxy.url})


def tls_to_a_plain_port():
    """An https:// URL before a server that speaks HTTP."""
    return Scene([endpoint(SERVICE, keep(service(SERVICE)).server_port, "https")])


def tls_speaks():
    """The port speaks TLS, with a certificate the client knows."""
    server = keep(SlowTls(SERVICE, pause=0))
    return Scene([endpoint(SERVICE, server.port, "https")], {"SSL_CERT_FILE": server.authority})


def parallel_questions_race():
    """The nameserver answers whatever is asked singly; of two questions from one socket the second is lost."""
    resolver(HEALTHY, options="timeout:2")
    keep(Nameserver(HEALTHY, {"svc.lab.example": [SERVICE]}, delay=0.02, racing=True))
    return Scene([endpoint("svc.lab.example", keep(service(SERVICE)).server_port)])
