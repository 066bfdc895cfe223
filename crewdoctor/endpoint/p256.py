"""ECDSA over P-256 in plain integers: what a certificate takes that lives for one experiment.

The interpreter that holds the crew may have no cryptography package, and Python's own `ssl` mints nothing. Nothing here
resists an observer of its timing: the keys guard a loopback connection for seconds, and are trusted by one process.
Constants and formulas: SEC 2 (secp256r1), RFC 6979 aside: the nonce is random.
"""

from __future__ import annotations

import hashlib
import secrets

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_Jacobian = tuple[int, int, int]
_INFINITY: _Jacobian = (1, 1, 0)


def key() -> int:
    """Return a fresh private key."""
    return secrets.randbelow(N - 1) + 1


def public(private: int) -> bytes:
    """Return the uncompressed public point: 65 bytes."""
    x, y = _times(private, G)
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def sign(private: int, message: bytes) -> tuple[int, int]:
    """Return the signature (r, s) over the SHA-256 of `message`."""
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        nonce = key()
        r = _times(nonce, G)[0] % N
        s = pow(nonce, -1, N) * (digest + r * private) % N
        if r and s:
            return r, s


def _times(factor: int, point: tuple[int, int]) -> tuple[int, int]:
    total, base = _INFINITY, (point[0], point[1], 1)
    for bit in f"{factor:b}":
        total = _doubled(total)
        if bit == "1":
            total = _sum(total, base)
    x, y, z = total
    inverse = pow(z, -1, P)
    return x * inverse**2 % P, y * inverse**3 % P


def _doubled(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    if not z:
        return point
    squared = y * y % P
    s = 4 * x * squared % P
    m = 3 * (x - z * z) * (x + z * z) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * squared * squared) % P, 2 * y * z % P


def _sum(left: _Jacobian, right: _Jacobian) -> _Jacobian:
    if not left[2]:
        return right
    x1, y1, z1 = left
    x2, y2, z2 = right
    u1, u2 = x1 * z2 * z2 % P, x2 * z1 * z1 % P
    s1, s2 = y1 * z2**3 % P, y2 * z1**3 % P
    if u1 == u2:
        return _doubled(left) if s1 == s2 else _INFINITY
    h, r = u2 - u1, s2 - s1
    h2 = h * h % P
    h3 = h * h2 % P
    x3 = (r * r - h3 - 2 * u1 * h2) % P
    return x3, (r * (u1 * h2 - x3) - s1 * h3) % P, h * z1 * z2 % P
