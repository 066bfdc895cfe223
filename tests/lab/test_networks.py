"""Broken networks, real ones: what is said first of each, and that healthy ones are met with silence."""

import importlib.util
import shutil

import pytest

from crewdoctor import causality, rulebook
from crewdoctor.model.evidence import Evidence

pytestmark = pytest.mark.netns


def findings(recording):
    found, outcomes = rulebook.run(Evidence(recording), select=("CD1",))
    assert [each for each in outcomes if each.status.value == "failed"] == []
    return causality.order(found, recording)


def first(recording):
    return findings(recording)[0]


@pytest.mark.parametrize(
    "scenario",
    [
        *("healthy", "second_nameserver_dead", "cidr_honoured", "proxy_works", "unused_port_refused"),
        *("certificate_every_client_trusts", "tls_takes_its_time"),
    ],
)
def test_a_network_that_serves_its_crew_is_met_with_silence(network, scenario):
    assert findings(network(scenario)) == ()


def test_a_dead_first_nameserver_costs_its_whole_timeout(network):
    told = first(network("first_nameserver_dead"))

    assert (told.code, told.subject) == ("CD101", "nameserver:127.0.0.51")
    assert told.measured.value == pytest.approx(5.0, abs=0.5)
    assert told.limit.value.value == 5.0
    assert (told.location.file, told.location.line) == ("/etc/resolv.conf", 1)
    assert "127.0.0.52 answered" in told.message


def test_a_nameserver_that_drops_aaaa_alone_is_named(network):
    told = first(network("aaaa_unanswered"))

    assert (told.code, told.subject) == ("CD101", "nameserver:127.0.0.52")
    assert "1 of 2 questions" in told.message


def test_a_slow_nameserver_is_a_warning(network):
    told = first(network("slow_nameserver"))

    assert (told.code, told.severity.value) == ("CD101", "warning")
    assert told.measured.value == pytest.approx(1.5, abs=0.4)


def test_nameservers_that_are_all_dead_explain_the_name_that_does_not_resolve(network):
    told = first(network("all_nameservers_dead"))

    assert told.code == "CD101"
    assert [each.code for each in told.explained] == ["CD103"]


def test_a_name_nobody_knows_does_not_accuse_the_nameserver(network):
    told = findings(network("name_unknown"))

    assert [each.code for each in told] == ["CD103"]
    assert told[0].subject == "host:gone.lab.example:8080"
    assert "NXDOMAIN" in told[0].message


def test_a_name_only_the_second_nameserver_knows_is_told_so(network):
    told = first(network("split_horizon"))

    assert told.code == "CD103"
    assert "127.0.0.53 knows it" in told.message
    assert told.fix.code == "nameserver 127.0.0.53"


def test_refused_is_told_from_dropped(network):
    refused, dropped = first(network("refused")), first(network("dropped"))

    assert (refused.code, dropped.code) == ("CD105", "CD106")
    assert refused.measured.value < 0.5
    assert dropped.measured.value == pytest.approx(4.0, abs=0.5)


def test_a_cidr_range_that_httpx_ignores_is_named_beside_the_client_that_honours_it(network):
    told = first(network("cidr_in_no_proxy"))

    assert told.code == "CD110"
    assert told.subject.startswith("host:127.0.3.1:")
    assert "which requests honours" in told.message
    assert "answered 503" in told.message
    assert told.fix.code.startswith('export NO_PROXY="127.0.3.0/24,127.0.3.1"')


def test_requests_honours_the_range_httpx_and_urllib_do_not(network):
    recording = network("cidr_in_no_proxy")
    decisions = {
        each["client"]: bool(each["proxy"])
        for result in recording.results
        if result.step.probe == "net.proxy"
        for each in result.facts["decisions"]
    }

    assert decisions == {"httpx": True, "requests": False, "urllib": True}


def test_a_client_that_ignores_the_range_is_a_warning_where_the_proxy_serves(network):
    told = findings(network("cidr_ignored_by_a_proxy_that_serves"))

    assert [(each.code, each.severity.value) for each in told] == [("CD110", "warning")]


def test_a_handshake_that_takes_half_of_what_the_client_allows(network):
    told = findings(network("slow_tls"))

    assert [(each.code, each.severity.value) for each in told] == [("CD107", "warning")]
    assert told[0].measured.name == "TLS handshake"
    assert told[0].measured.value == pytest.approx(0.6, abs=0.3)
    assert told[0].limit.value.value == 1.0


def test_an_internal_name_that_no_proxy_forgot(network):
    told = first(network("internal_name_not_excepted"))

    assert told.code == "CD110"
    assert "answered 504" in told.message
    assert "127.0.0.1,localhost" in told.fix.code


@pytest.mark.parametrize(
    ("scenario", "severity", "words"),
    [
        ("proxy_dead", "error", "refuses connections"),
        ("proxy_cannot_reach", "error", "answered 503"),
        ("proxy_slow", "warning", "answered 200 after 2."),
    ],
)
def test_a_proxy_that_fails_is_the_root(network, scenario, severity, words):
    told = findings(network(scenario))

    assert [each.code for each in told] == ["CD111"]
    assert told[0].severity.value == severity
    assert told[0].subject.startswith("proxy:127.0.0.1:")
    assert words in told[0].message


def test_a_dead_proxy_explains_the_internal_host_it_swallows(network):
    told = findings(network("dead_proxy_before_an_internal_name"))

    assert [each.code for each in told] == ["CD111"]
    assert [each.code for each in told[0].explained] == ["CD110"]


def test_a_host_behind_a_dead_proxy_is_not_accused_of_having_no_address(network):
    codes = {each.code for each in findings(network("proxy_dead"))}

    assert "CD103" not in codes


def test_no_proxy_password_is_recorded(network):
    assert "secret-word" not in repr(network("proxy_dead"))


def test_a_bundle_only_requests_reads_helps_no_other_client(network):
    told = first(network("certificate_of_a_private_authority"))

    assert (told.code, told.severity.value) == ("CD120", "warning")
    assert told.message.startswith("httpx does not trust the certificate of 127.0.3.1:")
    assert "House of Keys" in told.message
    assert "env REQUESTS_CA_BUNDLE" in told.message
    assert told.fix.code.startswith('export SSL_CERT_FILE="/')


@pytest.mark.parametrize(
    ("scenario", "words", "fix"),
    [
        ("certificate_expired", "certificate has expired", "Renew it at the server"),
        ("certificate_for_another_name", "IP address mismatch", "Renew it at the server"),
        ("bundle_missing", "SSL_CERT_FILE cannot be read", "Name a bundle"),
        ("certificate_behind_a_proxy", "openai does not trust", "Name a bundle"),
    ],
)
def test_what_is_wrong_with_a_certificate_decides_where_it_is_mended(network, scenario, words, fix):
    told = [each for each in findings(network(scenario)) if each.code == "CD120"]

    assert len(told) == 1
    assert words in told[0].message
    assert told[0].fix.title.startswith(fix)


def test_a_client_hello_nobody_answers(network):
    told = findings(network("tls_stalls"))

    assert [(each.code, each.severity.value) for each in told] == [("CD121", "error")]
    assert told[0].measured.value.value == pytest.approx(8.0, abs=0.5)
    assert "no byte" in told[0].message


def test_a_connection_closed_on_the_client_hello_is_no_stall(network):
    (finding,) = findings(network("tls_broken"))
    assert (finding.code, finding.severity.value) == ("CD122", "warning")


def test_a_port_that_speaks_http_is_told_from_one_that_breaks_off(network):
    (finding,) = findings(network("tls_to_a_plain_port"))
    assert (finding.code, finding.severity.value) == ("CD122", "error")
    assert "speaks no TLS: wrong version number" in finding.message
    assert "http://" in finding.fix.title


def test_a_lost_answer_is_told_from_a_nameserver_that_is_silent(network):
    (finding,) = findings(network("parallel_questions_race"))
    assert (finding.code, finding.severity.value) == ("CD108", "error")
    assert finding.fix.code == "options single-request-reopen"


@pytest.mark.skipif(not shutil.which("ip"), reason="iproute2 makes the black hole")
class TestBlackHole:
    def test_an_ipv6_address_that_swallows_packets_is_foretold(self, network):
        told = findings(network("ipv6_swallowed"))

        assert [(each.code, each.severity.value) for each in told] == [("CD104", "warning")]
        assert told[0].message.startswith("2001:db8::77, the IPv6 address of svc.lab.example:")
        assert told[0].measured.value == pytest.approx(4.0, abs=0.5)

    @pytest.mark.parametrize("scenario", ["ipv6_refused", "ipv6_swallowed_for_a_client_that_races"])
    def test_what_costs_no_time_is_met_with_silence(self, network, scenario):
        assert findings(network(scenario)) == ()


@pytest.mark.parametrize(
    ("scenario", "words", "fix"),
    [
        ("proxy_refuses", "answers 407 to CONNECT api.lab.example:443, as requests would", "NAME:WORD@127.0.0.1"),
        ("proxy_forbids", "answers 403 to CONNECT api.lab.example:8443, as httpx, requests would", "NO_PROXY"),
    ],
)
def test_a_tunnel_the_proxy_does_not_open(network, scenario, words, fix):
    told = findings(network(scenario))

    assert [(each.code, each.severity.value) for each in told] == [("CD112", "error")]
    assert told[0].subject.startswith("proxy:127.0.0.1:")
    assert words in told[0].message
    assert fix in told[0].fix.code


@pytest.mark.skipif(any(map(importlib.util.find_spec, ("socksio", "socks"))), reason="a SOCKS extra is installed here")
def test_clients_without_their_socks_extra_are_named_and_the_host_is_not_accused(network):
    told = findings(network("socks_proxy"))

    assert [(each.code, each.severity.value) for each in told] == [("CD113", "error")]
    assert told[0].message.startswith("ALL_PROXY names a SOCKS proxy, and httpx, requests cannot go to 127.0.3.1:")
    assert told[0].fix.code.startswith("pip install 'httpx[socks]' 'requests[socks]'")
    assert findings(network("socks_proxy_not_for_this_host")) == ()


def test_search_domains_that_say_no_are_counted_and_timed(network):
    told = [each for each in findings(network("search_list")) if each.code == "CD102"]

    assert [each.severity.value for each in told] == ["warning"]
    assert (told[0].measured.value, told[0].limit.value) == (10, 2)
    assert told[0].lost == pytest.approx(1.0, abs=0.3)
    assert findings(network("search_list_of_a_quick_nameserver")) == ()
