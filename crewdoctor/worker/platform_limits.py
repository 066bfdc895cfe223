"""Limits of the platform around the crew, as settings: read from the project's files, with the line of each."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from crewdoctor.model.setting import OUTER, Location, Origin, Provenance, Setting
from crewdoctor.scan.platforms import outer_limits
from crewdoctor.scan.platforms.limit import Outer
from crewdoctor.wire.redact import redact
from crewdoctor.worker.source_place import shown


def platform_settings(root: Path, target: Path) -> list[Setting]:
    """One per limit found; of two of the same subject the one written first.

    Where a file says that it starts this very crew, the limits of others are shown and bound nothing.
    """
    found: dict[tuple[str, str], Setting] = {}
    limits = outer_limits(root, target)
    sure = any(each.sure for each in limits)
    for each in limits:
        setting = _setting(each)
        if sure and not each.sure:
            setting = replace(setting, scope="environment", note=f"{setting.note}; of something else than this crew")
        found.setdefault((setting.subject, setting.name), setting)
    return list(found.values())


def _setting(outer: Outer) -> Setting:
    place = outer.location
    where = f"{shown(place.file)}:{place.line}"
    location = Location(os.path.realpath(place.file), place.line, source=redact(place.source))
    origin: Origin = "python" if place.file.endswith(".py") else "file"
    whence = Provenance(origin, where, location)
    if not outer.written:
        whence = Provenance("default", f"default of {outer.platform}, {where}", location)
    subject = f"{OUTER}:{outer.platform}" + (f"/{outer.whom}" if outer.whom else "")
    name = "timeout" if outer.ends else "timeout.answer"
    return Setting(subject, OUTER, name, outer.timeout, whence, outer.name)
