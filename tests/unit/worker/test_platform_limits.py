"""Limits of platforms as settings of the inventory."""

from __future__ import annotations

from crewdoctor.model.setting import OUTER, Seconds
from crewdoctor.worker.platform_limits import platform_settings


def test_a_limit_is_a_setting_with_its_file_and_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text("workers = 2\ntimeout = 60\n")

    (found,) = platform_settings(tmp_path, tmp_path / "crew.py")

    assert (found.subject, found.scope, found.name, found.value) == ("outer:gunicorn", OUTER, "timeout", Seconds(60.0))
    assert (found.provenance.where, found.provenance.origin, found.written) == ("gunicorn.conf.py:2", "python", True)
    assert found.provenance.location is not None
    assert found.provenance.location.source == "timeout = 60"


def test_where_a_file_starts_this_crew_other_programs_limits_bound_nothing(tmp_path):
    (tmp_path / "Procfile").write_text("web: gunicorn shop:app --timeout 20\nw: timeout 300 python crew.py\n")

    found = {each.subject: each for each in platform_settings(tmp_path, tmp_path / "crew.py")}

    assert found["outer:timeout/w"].scope == OUTER
    assert found["outer:gunicorn/web"].scope == "environment"


def test_an_ingress_only_stops_waiting_and_a_default_is_nobodys_word(tmp_path):
    (tmp_path / "gunicorn.conf.py").write_text("workers = 2\n")
    (tmp_path / "ingress.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  annotations:\n"
        '    nginx.ingress.kubernetes.io/proxy-read-timeout: "60"\n'
    )

    found = {each.subject: each for each in platform_settings(tmp_path, tmp_path / "crew.py")}

    assert found["outer:nginx ingress/Ingress"].name == "timeout.answer"
    assert not found["outer:gunicorn"].written
