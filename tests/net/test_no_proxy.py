import pytest

from crewdoctor.net.no_proxy import meant


@pytest.mark.parametrize(
    ("value", "host", "entry", "form"),
    [
        ("svc.example", "svc.example", "svc.example", "plain"),
        ("example", "svc.example", "example", "plain"),
        ("SVC.Example", "svc.example", "SVC.Example", "plain"),
        (".svc.example", "svc.example", ".svc.example", "leading_dot"),
        ("*.example", "svc.example", "*.example", "wildcard"),
        ("svc.example:8080", "svc.example", "svc.example:8080", "port"),
        ("http://svc.example", "svc.example", "http://svc.example", "scheme"),
        ("other svc.example", "svc.example", "svc.example", "whitespace"),
        ("a, svc.example ,b", "svc.example", "svc.example", "plain"),
        ("*", "svc.example", "*", "any"),
        ("10.0.0.0/8", "10.1.2.3", "10.0.0.0/8", "cidr"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.3", "plain"),
        ("fd00::/8", "fd00::7", "fd00::/8", "cidr"),
        ("::1", "::1", "::1", "plain"),
        ("[::1]:8080", "::1", "[::1]:8080", "port"),
    ],
)
def test_an_entry_meant_for_the_host_is_found_in_every_form(value, host, entry, form):
    found = meant(value, host, 8080)

    assert (found.entry, found.form) == (entry, form)


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("", "svc.example"),
        (",, ,", "svc.example"),
        ("vc.example", "svc.example"),
        ("svc.example:9090", "svc.example"),
        ("10.0.0.0/8", "11.1.2.3"),
        ("10.0.0.0/8", "svc.example"),
        ("not/a/range", "svc.example"),
        ("svc.example.org", "svc.example"),
    ],
)
def test_an_entry_for_somebody_else_is_not(value, host):
    assert meant(value, host, 8080) is None


def test_a_range_is_meant_for_a_name_whose_address_lies_in_it():
    found = meant("10.0.0.0/8", "svc.example", 80, ["10.9.9.9"])

    assert (found.entry, found.form) == ("10.0.0.0/8", "range_of_address")
