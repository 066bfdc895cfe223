import sys
import types

import pytest

from crewdoctor.wire import redact
from crewdoctor.worker.secrets_held import learn_modules, learn_objects


class Revealed:
    def get_secret_value(self):
        return "kept-in-pydantic-1"


@pytest.fixture(autouse=True)
def untaught(monkeypatch):
    monkeypatch.setattr(redact, "_shared", redact.Redactor())


def test_what_the_users_modules_name_as_secret_is_learned(tmp_path, monkeypatch):
    module = types.ModuleType("crew_of_theirs")
    module.__file__ = str(tmp_path / "crew.py")
    vars(module).update(
        VAULT_PASSWORD="sword-fish",
        SORT_KEY="created_at",
        DSN="mysql://app:hunter2hunter2@db/main",
        HEADERS={"Authorization": "Bearer Wc2Eo7Ti4Ua9", "X": {"Cookie": "sid=Lb1Vx6Cz8N"}},
    )
    monkeypatch.setitem(sys.modules, "crew_of_theirs", module)

    learn_modules()

    text = "sword-fish created_at hunter2hunter2 Wc2Eo7Ti4Ua9 sid=Lb1Vx6Cz8N"
    assert redact.redact(text) == "*** created_at *** *** ***"


def test_what_tools_and_models_hold_is_learned():
    tool = types.SimpleNamespace(api_key="qwe-rty-123", name="search_orders_1", token=Revealed(), token_name="sort_1")

    learn_objects([tool, object()])

    assert redact.redact("qwe-rty-123 kept-in-pydantic-1 search_orders_1 sort_1") == "*** *** search_orders_1 sort_1"
