"""Lines of definitions in JSON, JSONC and YAML."""

from __future__ import annotations

from crewdoctor.scan.definition_keys import keys_in

JSONC = """{
  // "timeout": 1 is a remark
  "llm": {"model": "openai/gpt-4o", /* timeout */
    "timeout": 33, "url": "http://a/b" },
}
"""


def test_a_key_is_found_on_its_line_past_comments_and_in_folders_beside(tmp_path):
    (tmp_path / "crew.jsonc").write_text(JSONC)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "a.json").write_text('{\n"role": "r",\n\t"max_iter": 3}')
    (tmp_path / "agents" / "b.yaml").write_text("a:\n  role: r\n  max_iter: 4\n")

    assert list(keys_in(tmp_path / "crew.jsonc", "timeout")) == [(str(tmp_path / "crew.jsonc"), 4)]
    assert [line for _, line in keys_in(tmp_path / "crew.jsonc", "max_iter")] == [3, 3]
    assert not list(keys_in(tmp_path / "crew.jsonc", "max_rpm"))
