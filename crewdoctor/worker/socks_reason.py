"""A SOCKS proxy in the environment, and a client library that was installed without the extra it needs for one."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from crewdoctor.model.setting import Location
from crewdoctor.worker.load_failure import TargetDoesNotLoad
from crewdoctor.worker.source_place import shown

_VARIABLES = ("all_proxy", "https_proxy", "http_proxy")


def socks_extra(error: BaseException, where: Location | None) -> TargetDoesNotLoad | None:
    """The reason, where `error` is a client library's complaint about a missing SOCKS extra; else None."""
    text = str(error)
    if "SOCKS" not in text or not ("socksio" in text or "Missing dependencies" in text):
        return None
    names = [spelt for name in _VARIABLES for spelt in (name, name.upper())]
    variable = next((name for name in names if os.environ.get(name, "").startswith("socks")), "")
    if not variable:
        return None
    parts = urlsplit(os.environ[variable])
    client, package = ("httpx", "socksio") if "socksio" in text else ("requests", "PySocks")
    place = f"{parts.hostname}:{parts.port or 1080}"
    at = f" ({shown(where.file)}:{where.line})" if where is not None else ""
    return TargetDoesNotLoad(
        "socks_extra",
        f"{variable} names the SOCKS proxy {parts.scheme}://{place}, and {client} cannot even be constructed without "
        f"the package `{package}`, which is not installed{at}",
        f"pip install '{client}[socks]', or unset {variable}",
        location=where,
        variable=variable,
        more={"proxy": place, "client": client, "package": package},
    )
