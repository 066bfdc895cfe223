"""Hosts a recorded program's calls went to, which no source had named."""

from crewdoctor.model.inventory import Endpoint, Inventory, ToolEntry
from crewdoctor.model.layer import Layer
from crewdoctor.model.span import Failure, FailureKind, Span
from crewdoctor.wire.hosts_seen import with_hosts_seen

REFUSED = Failure(FailureKind.TCP_REFUSED, "")
PROXY = Endpoint("proxy:10.0.0.1:3128", "http", "10.0.0.1", 3128, "proxy")
BARE = Inventory(
    "main.py", "c", "/p", "recorded", tools=(ToolEntry("tool:t", "t", "function", None),), endpoints=(PROXY,)
)


def span(number, name, parent=None, failure=None, end=2.0, **attrs):
    subject = "tool:t"
    layer = Layer.TOOL
    return Span(str(number), "crew.kickoff@7", name, 1.0, end, layer, subject, parent and str(parent), failure, attrs)


def subjects(*spans):
    return [each.subject for each in with_hosts_seen(BARE, spans).endpoints if each.kind != "proxy"]


def test_a_host_of_a_call_that_failed_is_one_the_crew_needs():
    request = span(2, "http.request", 1, REFUSED, host="a.local", port=80, client="httpx", url="https://a.local/")
    (endpoint,) = (
        each for each in with_hosts_seen(BARE, [span(1, "tool.call", failure=REFUSED), request]).endpoints[1:]
    )

    assert (endpoint.subject, endpoint.kind, endpoint.scheme) == ("host:a.local:80", "tool", "https")
    assert (endpoint.used_by, endpoint.clients) == (("tool:t",), ("httpx",))


def test_so_is_one_a_call_still_waits_for_and_one_without_http():
    assert subjects(span(1, "tool.call", end=None), span(2, "tcp.connect", 1, host="::1", port=6379)) == [
        "host:[::1]:6379"
    ]


def test_a_page_gone_in_a_call_that_was_served_is_none():
    gone = span(2, "http.request", 1, REFUSED, host="gone.example", port=80)
    served = span(3, "http.request", 1, host="here.example", port=80)

    assert subjects(span(1, "tool.call"), gone, served) == []
    assert subjects(span(1, "tool.call"), gone) == ["host:gone.example:80"]


def test_the_connection_of_a_request_is_not_its_host_and_a_proxy_never():
    call, request = span(1, "tool.call", failure=REFUSED), span(2, "http.request", 1, REFUSED, host="a.local", port=80)
    within = span(3, "tcp.connect", 2, REFUSED, host="10.9.9.9", port=8080)
    knock = span(4, "tcp.connect", 1, REFUSED, host="10.0.0.1", port=3128)

    assert subjects(call, request, within, knock) == ["host:a.local:80"]


def test_the_far_end_of_a_tunnel_is_its_host():
    tunnel = span(2, "proxy.connect", 1, REFUSED, proxy="10.0.0.1:3128", target="a.local:443")

    assert subjects(span(1, "tool.call", failure=REFUSED), tunnel) == ["host:a.local:443"]


def test_a_known_host_learns_who_goes_there():
    known = Endpoint("host:a.local:80", "http", "a.local", 80, "environment")
    held = Inventory("main.py", "c", "/p", "recorded", endpoints=(known,))
    request = span(2, "http.request", 1, host="a.local", port=80, client="requests")
    (endpoint,) = with_hosts_seen(held, [span(1, "tool.call"), request]).endpoints

    assert (endpoint.kind, endpoint.used_by, endpoint.clients) == ("environment", ("tool:t",), ("requests",))
