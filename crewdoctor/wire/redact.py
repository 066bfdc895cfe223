"""Secrets out, before anything is stored or analysed (law 12); control characters out, before anything is shown.

Two nets: exact secrets that were `learn`ed from the environment and from live objects, and the shapes secrets have in
URLs, headers, assignments and vendors' keys. Redaction is idempotent: the worker and the parent both apply it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

MASK = "***"

_SENSITIVE = (
    r"(?:[\w-]*(?:api[ _-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key|secret(?:[_-]?key)?|token|password"
    r"|passwd|passphrase|pwd|credentials?|authorization|cookie|dsn))"
)
_SENSITIVE_FIELD = re.compile(rf"{_SENSITIVE}\Z", re.IGNORECASE)
_SENSITIVE_VARIABLE = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|PASSPHRASE|PASSCODE|CREDENTIAL|DSN|COOKIE|AUTH|SIGNATURE|(?<![A-Z])(?:PWD|PIN)(?![A-Z])",
    re.IGNORECASE,
)
_PLAIN_VARIABLE = re.compile(
    r"(?:HOST|HOSTNAME|ENDPOINT|ADDR|ADDRESS|PORT|NAME|FILE|PATH|DIR|HEADER|MODEL|REGION|SERVICE|TYPE|TIMEOUT|LIMIT)\Z"
    r"|KEYWORDS?|TOKENIZERS?|AUTHORS?\Z|\A(?:OLD)?PWD\Z",
    re.IGNORECASE,
)
"""`AUTH_SERVICE_HOST` holds a host: masking it would hide the culprit."""
_PLACEHOLDERS = frozenset({"not-needed", "not_needed", "notneeded", "no-key-needed", "placeholder", "your-api-key"})

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_URL = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]*)://([^\s\"'<>`|\\]+)")
_USERINFO = re.compile(
    r"(?<![\w/@.%+-])(?!(?:step|setting|span|stack|event|agent|task|tool|crew|host|proxy|nameserver)[:/])"
    r"[\w.%+-]+:[^\s:/@\"']+@(?=[\w.\[-])"
)
_HEADER = re.compile(
    r"\b((?:proxy-)?authorization|(?:x-)?(?:goog-)?api-key|x-auth-token|x-amz-security-token|(?:set-)?cookie)"
    r"(\\?[\"']?\s*[:=,]\s*(?:b?\\?[\"'])?)([^\r\n\"'\\]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(
    r"\b((?i:bearer))\s+(?!(?:tokens?|auth\w*)\b)[A-Za-z0-9._~+/=-]{6,}"
    r"|\b((?i:basic|digest|token))\s+(?=[a-z]*[A-Z0-9])[A-Za-z0-9._~+/=-]{12,}"
)
_VENDOR = re.compile(
    r"\b((?:sk|pk|rk|tvly|nvapi|pplx|xox[abprs])-|gsk_|hf_|gh[pousr]_|github_pat_|glpat-|AIza|AKIA|ASIA|ya29\.)"
    r"[A-Za-z0-9_*.-]{6,}"
    r"|\b(eyJ)[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"
)
_ASSIGNED = re.compile(
    rf"(?<![\w-])({_SENSITIVE})(\\?[\"']?\s*[:=]\s*[bfru]?)"
    r"(?:(\\?[\"'])(.*?)\3|(?!\*\*\*|\.\.\.(?!\S)|os\.|getenv|environ|self\.|None\b|True\b|False\b|null\b)([^\s,;&\"'()\[\]{}\\]+))",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?<![\w.-])(key\s*=\s*[\"']?)([A-Za-z0-9_+/=-]{8,})", re.IGNORECASE)
_QUERY = re.compile(r"([?&][\w.-]+=)(?=[^\s&#\"'{}]*\d)(?=[^\s&#\"'{}]*[A-Za-z])[^\s&#\"'{}\\]{8,}")
_PROSE = re.compile(
    r"(\b(?:goal|backstory|description|expected_output|system_template|prompt_template|system_prompt|prompt)"
    r"\\?[\"']?\s*[:=]\s*[bfru]{0,2})(\\?(?:\"{3}|'{3}|\"|'))(?!\2)(?:(?!\2).)+(?:\2|\Z)"
)
"""Prompts, as they stand in the source lines a report shows."""
_NUMBER = re.compile(r"[\d.]+(?:m?s)?\Z")
_OPAQUE = re.compile(r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[\w:%~-]{20,}\Z")
_LOT = re.compile(r"[A-Za-z0-9_+/=-]+")
_SEPARATORS = re.compile(r"[_+/=-]+")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REMEMBERED = 200
_MOST_REMEMBERED = 4096
_LEARN_AT_LEAST = 8
"""Shorter or plainer words (`ollama`, `postgres`) are no secrets, and masking them would garble the report."""


class Redactor:
    """Exact secrets known so far, and the shapes of those that are not."""

    def __init__(self) -> None:
        self.generation = 0
        """Grows with every secret learned: what was redacted before may hold it."""
        self._known: set[str] = set()
        self._exact: re.Pattern[str] | None = None
        self._before: dict[str, str] = {}

    def learn(self, secret: str) -> None:
        """Mask `secret` wherever it appears from now on. Short words and placeholders are not learned."""
        secret = secret.strip()
        plain = secret.isalpha() and secret.islower()
        if len(secret) < _LEARN_AT_LEAST and not (len(secret) >= _LEARN_AT_LEAST - 2 and not secret.isalpha()):
            return
        if (plain and len(secret) < 2 * _LEARN_AT_LEAST) or secret.lower() in _PLACEHOLDERS or secret.isdigit():
            return
        forms = {
            secret,
            quote(secret, safe=""),
            quote(secret),
            unquote(secret),
            secret.encode("unicode_escape").decode(),
        }
        if forms <= self._known:
            return
        self._known |= forms
        longest_first = sorted(self._known, key=lambda each: (-len(each), each))
        self._exact = re.compile("|".join(re.escape(each) for each in longest_first))
        self.generation += 1
        self._before = {}

    def learn_environment(self, environment: Mapping[str, str]) -> None:
        """Learn the values of variables whose name says secret, and the passwords within URLs of any variable."""
        for name, value in environment.items():
            if "://" in value:
                self._learn_url(value)
            elif not _PLAIN_VARIABLE.search(name) and not value.startswith(("/", ".")):
                if _SENSITIVE_VARIABLE.search(name):
                    self.learn(value)
                    self.learn(value.rpartition(" ")[2])  # `Bearer ...`
                elif _drawn_by_lot(value):
                    self.learn(value)

    def _learn_url(self, url: str) -> None:
        rest = url.split("://", 1)[1]
        userinfo, at, _ = rest.rpartition("@")
        if at:
            self.learn(userinfo.partition(":")[2] or userinfo)
        for pair in rest.partition("?")[2].split("&"):
            self.learn(pair.partition("=")[2])

    def redact(self, text: str) -> str:
        """`text` without secrets. Recordings say the same things over and over: what was asked before is remembered."""
        if len(text) < _LEARN_AT_LEAST - 2:
            return text
        before = self._before
        known = before.get(text)
        if known is None:
            known = self._redacted(text)
            if len(text) <= _REMEMBERED:
                if len(before) >= _MOST_REMEMBERED:
                    before.clear()
                before[text] = known
        return known

    def _redacted(self, text: str) -> str:
        if self._exact is not None:
            text = self._exact.sub(MASK, text)
        if "PRIVATE KEY" in text:
            text = _PEM.sub(MASK, text)
        if "://" in text:
            text = _URL.sub(_bare_url, text)
        if "=" in text and ("?" in text or "&" in text):
            text = _QUERY.sub(rf"\1{MASK}", text)
        if "@" in text:
            text = _USERINFO.sub(f"{MASK}@", text)
        text = _VENDOR.sub(lambda match: f"{match[1] or match[2]}{MASK}", text)
        text = _HEADER.sub(_masked_header, text)
        text = _BEARER.sub(lambda match: f"{match[1] or match[2]} {MASK}", text)
        if "=" in text or ":" in text:
            text = _ASSIGNED.sub(_masked_assignment, text)
            text = _KEY.sub(rf"\1{MASK}", text)
            text = _PROSE.sub(rf"\1\2{MASK}\2", text)
        return text

    def redact_json(self, value: Any) -> Any:
        """JSON values without secrets: strings by their shape, members by their name as well."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, Mapping):
            return {self.redact(str(name)): self._member(str(name), held) for name, held in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.redact_json(item) for item in value]
        return value

    def _member(self, name: str, held: Any) -> Any:
        if isinstance(held, str) and held and _SENSITIVE_FIELD.match(name):
            return MASK
        if isinstance(held, (list, tuple)) and _SENSITIVE_FIELD.match(name):
            return [MASK if isinstance(item, str) else self.redact_json(item) for item in held]
        return self.redact_json(held)


def _drawn_by_lot(value: str) -> bool:
    """Whether letters of both cases and digits alternate as no word, name or version does."""
    if len(value) < 2 * _LEARN_AT_LEAST or not _LOT.fullmatch(value):
        return False
    drawn = _SEPARATORS.sub("", value)
    kinds = ["d" if each.isdigit() else "u" if each.isupper() else "l" for each in drawn]
    runs = 1 + sum(before != after for before, after in pairwise(kinds))
    return set(kinds) == {"d", "u", "l"} and 2 * runs > len(kinds)


def _bare_url(match: re.Match[str]) -> str:
    scheme, rest = match[1], match[2]
    stop = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, tail = rest[:stop], rest[stop:]
    port = authority.rpartition(":")[2]
    if "@" not in authority and "@" in tail and ":" in authority and not port.isdigit():
        authority, tail = rest, ""  # a password with an unescaped slash: everything up to the last @ is userinfo
        head, _, rest = rest.rpartition("@")
        stop = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
        authority, tail = f"{head}@{rest[:stop]}", rest[stop:]
    if "@" in authority:
        authority = f"{MASK}@{authority.rpartition('@')[2]}"
    path, _, fragment = tail.partition("#")
    path, mark, query = path.partition("?")
    path = "/".join(MASK if _OPAQUE.match(part) else part for part in path.split("/"))
    query = "&".join(_pair(pair) for pair in query.split("&")) if mark else ""
    fragment = f"#{_pair(fragment)}" if fragment else ""
    return f"{scheme}://{authority}{path}{mark}{query}{fragment}"


def _pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals else (MASK if _OPAQUE.match(pair) else pair)


def _masked_header(match: re.Match[str]) -> str:
    return match[0] if match[3].strip() == MASK else f"{match[1]}{match[2]}{MASK}"


def _masked_assignment(match: re.Match[str]) -> str:
    name, separator, mark, quoted, bare = match.groups()
    if quoted is not None:
        return f"{name}{separator}{mark}{MASK}{mark}" if quoted else match[0]
    prose = ":" in separator and len(bare) < _LEARN_AT_LEAST - 2
    counted = name.lower().endswith("token") and _NUMBER.match(bare)
    return match[0] if prose or counted else f"{name}{separator}{MASK}"


_shared = Redactor()


def learn(secret: str) -> None:
    """Mask this exact secret from now on, in this process."""
    _shared.learn(secret)


def learn_all(secrets: Iterable[str]) -> None:
    """Mask these exact secrets from now on, in this process."""
    for secret in secrets:
        _shared.learn(secret)


def learn_environment(environment: Mapping[str, str]) -> None:
    """Learn every secret an environment holds, by variable name and within URLs."""
    _shared.learn_environment(environment)


def learn_file(path: Path) -> None:
    """Learn what a `.env` file holds; a missing or unreadable one holds nothing."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return
    pairs = (line.strip().removeprefix("export ").partition("=") for line in lines if not line.lstrip().startswith("#"))
    _shared.learn_environment({name.strip(): _unquoted(value.strip()) for name, _, value in pairs if value})


def _unquoted(value: str) -> str:
    if value[:1] in {'"', "'"}:
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].strip()


def generation() -> int:
    """Changes whenever this process learns a secret."""
    return _shared.generation


def redact(text: str) -> str:
    """`text` without secrets."""
    return _shared.redact(text)


def redact_json(value: Any) -> Any:
    """JSON values without secrets; tuples and sets become lists."""
    return _shared.redact_json(value)


def clean(text: str) -> str:
    """One printable line: white space becomes a space; control, direction and half characters become escapes."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    if character in "\n\r\t\v\f":
        return " "
    if unicodedata.category(character) in _INVISIBLE:
        return character.encode("unicode_escape").decode("ascii")
    return character
