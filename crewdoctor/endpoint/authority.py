"""A certificate authority that lives as long as one experiment, and mints a certificate per name it is asked for.

Standard library alone. Encodings: X.690 (DER), RFC 5280 (certificates), RFC 5915 (the key's file).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
import ssl
import tempfile
import threading
import time
from pathlib import Path

from crewdoctor.endpoint import p256

_DAY = 86400
_NAME = "crewdoctor's experiment"
_ECDSA_SHA256, _EC_KEY, _P256 = "1.2.840.10045.4.3.2", "1.2.840.10045.2.1", "1.2.840.10045.3.1.7"
_COMMON_NAME, _SERVER = "2.5.4.3", "1.3.6.1.5.5.7.3.1"
_SUBJECT_KEY, _KEY_USAGE, _NAMES, _BASIC, _AUTHORITY_KEY, _EXTENDED = (
    f"2.5.29.{number}" for number in (14, 15, 17, 19, 35, 37)
)


class Authority:
    """One root and the certificates beneath it, made when they are first asked for."""

    def __init__(self) -> None:
        self._root, self._leaf = p256.key(), p256.key()
        self._root_point, self._leaf_point = p256.public(self._root), p256.public(self._leaf)
        self._contexts: dict[tuple[str, ...], ssl.SSLContext] = {}
        self._minting = threading.Lock()
        usage = _extension(_KEY_USAGE, _tlv(0x03, b"\x01\x06"), critical=True)  # signs certificates and lists
        basic = _extension(_BASIC, _sequence(_tlv(0x01, b"\xff")), critical=True)
        self.pem = _pem("CERTIFICATE", self._certificate(_NAME, self._root_point, [basic, usage]))
        """The root, for whoever shall trust it."""

    def context(self, *names: str) -> ssl.SSLContext:
        """Return a server's context whose certificate is for `names`, host names or addresses."""
        with self._minting:  # connections come in threads of their own
            known = self._contexts.get(names)
            if known is None:
                known = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                known.set_alpn_protocols(["http/1.1", "h2"])
                with tempfile.TemporaryDirectory() as folder:
                    chain = Path(folder) / "chain.pem"
                    chain.write_text(self._key_file() + self._minted(names) + self.pem)
                    known.load_cert_chain(chain)
                self._contexts[names] = known
            return known

    def _minted(self, names: tuple[str, ...]) -> str:
        extensions = [
            _extension(_BASIC, _sequence(), critical=True),
            _extension(_KEY_USAGE, _tlv(0x03, b"\x07\x80"), critical=True),  # signs handshakes
            _extension(_EXTENDED, _sequence(_oid(_SERVER))),
            _extension(_NAMES, _sequence(*map(_alternative, names))),
        ]
        return _pem("CERTIFICATE", self._certificate(names[0][:60], self._leaf_point, extensions))

    def _certificate(self, name: str, point: bytes, extensions: list[bytes]) -> bytes:
        algorithm = _sequence(_oid(_ECDSA_SHA256))
        now = time.time()
        known = [
            *extensions,
            _extension(_SUBJECT_KEY, _tlv(0x04, _identifier(point))),
            _extension(_AUTHORITY_KEY, _sequence(_tlv(0x80, _identifier(self._root_point)))),
        ]
        body = _sequence(
            _tlv(0xA0, _integer(2)),
            _integer(secrets.randbits(120) | 1),
            algorithm,
            _common_name(_NAME),
            _sequence(_moment(now - _DAY), _moment(now + _DAY)),
            _common_name(name),
            _sequence(_sequence(_oid(_EC_KEY), _oid(_P256)), _tlv(0x03, b"\0" + point)),
            _tlv(0xA3, _sequence(*known)),
        )
        r, s = p256.sign(self._root, body)
        return _sequence(body, algorithm, _tlv(0x03, b"\0" + _sequence(_integer(r), _integer(s))))

    def _key_file(self) -> str:
        held = _sequence(
            _integer(1),
            _tlv(0x04, self._leaf.to_bytes(32, "big")),
            _tlv(0xA0, _oid(_P256)),
            _tlv(0xA1, _tlv(0x03, b"\0" + self._leaf_point)),
        )
        return _pem("EC PRIVATE KEY", held)


def _alternative(name: str) -> bytes:
    try:
        return _tlv(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return _tlv(0x82, name.encode("idna"))


def _identifier(point: bytes) -> bytes:
    return hashlib.sha256(point).digest()[:20]


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    short = 0x80
    if size < short:
        return bytes((tag, size)) + value
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, short | len(length))) + length + value


def _sequence(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _integer(value: int) -> bytes:
    return _tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _oid(dotted: str) -> bytes:
    first, second, *rest = (int(each) for each in dotted.split("."))
    encoded = bytearray([first * 40 + second])
    for number in rest:
        septets = [number & 0x7F]
        while number := number >> 7:
            septets.append(number & 0x7F | 0x80)
        encoded += bytes(reversed(septets))
    return _tlv(0x06, bytes(encoded))


def _common_name(name: str) -> bytes:
    return _sequence(_tlv(0x31, _sequence(_oid(_COMMON_NAME), _tlv(0x0C, name.encode()))))


def _moment(seconds: float) -> bytes:
    return _tlv(0x17, time.strftime("%y%m%d%H%M%SZ", time.gmtime(seconds)).encode())


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return _sequence(_oid(oid), _tlv(0x01, b"\xff") if critical else b"", _tlv(0x04, value))


def _pem(label: str, encoded: bytes) -> str:
    lines = base64.encodebytes(encoded).decode()
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"
