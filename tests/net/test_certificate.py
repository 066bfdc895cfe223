"""Names and dates out of DER, against what the ssl module reads of certificates it trusts."""

import ssl

import pytest
import trustme

from crewdoctor.net.certificate import read


@pytest.fixture(scope="module")
def authority():
    return trustme.CA(organization_name="House of Keys", organization_unit_name="Vault")


def der(pem):
    return ssl.PEM_cert_to_DER_cert(pem.bytes().decode())


def test_issuer_and_subject_are_told_apart(authority):
    issued = authority.issue_cert("svc.lab.example", common_name="svc.lab.example", organization_name="Shop")

    found = read(der(issued.cert_chain_pems[0]))

    assert found.issuer == "House of Keys, Vault"
    assert found.subject.startswith("svc.lab.example, Shop")
    assert found.not_before < found.not_after
    assert len(found.not_after) == len("20380101000000Z")


def test_the_authority_issues_itself(authority):
    found = read(der(authority.cert_pem))

    assert found.issuer == found.subject


@pytest.mark.parametrize("junk", [b"", b"\x30", b"\x30\x82\xff\xff", b"\x30\x03\x02\x01\x05", b"no certificate at all"])
def test_what_is_no_certificate_is_refused(junk):
    with pytest.raises(ValueError, match=r".*"):
        read(junk)
