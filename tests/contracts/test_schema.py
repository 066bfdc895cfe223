import importlib.util
import json
from pathlib import Path

import jsonschema
import pytest

from crewdoctor.report import json_report
from crewdoctor.wire import schema

_spec = importlib.util.spec_from_file_location("sample", Path(__file__).parents[1] / "report" / "sample.py")
sample = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sample)


def test_the_generated_schema_is_the_shipped_one():
    assert schema.SHIPPED.read_text(encoding="utf-8") == schema.text()


def test_the_schema_is_itself_valid_and_describes_every_field():
    generated = schema.generate()
    jsonschema.Draft202012Validator.check_schema(generated)

    assert "description" in generated["$defs"]["Finding"]["properties"]["evidence"]


def test_a_report_is_valid_and_its_findings_have_the_promised_members():
    document = json.loads(json_report.render(sample.sick()))

    jsonschema.validate(document, schema.generate())
    assert document["format"] == "crewdoctor.report/1"
    promised = {"code", "severity", "layer", "subject", "message", "measured", "limit", "location", "fix", "evidence"}
    assert promised <= document["findings"][0].keys()
    assert document["findings"][0]["limit"]["value"] == {"timeout": "unlimited"}
    assert document["findings"][0]["explained"][0]["code"] == "CD401"


@pytest.mark.parametrize("broken", [{"exit_code": "one"}, {"findings": [{}]}, {"format": None}])
def test_the_schema_refuses_what_is_no_report(broken):
    document = {**json.loads(json_report.render(sample.sick())), **broken}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema.generate())
