"""How often a wait may be begun again, as its source says."""

from __future__ import annotations

import math
import textwrap

import pytest

from crewdoctor.scan.reach import Known, reachable

CASES = {
    "requests alone": ("import requests", "", "requests.get(u)", (1, 0.0)),
    "urllib3's default": ("import urllib3\nP = urllib3.PoolManager()", "", "P.request('GET', u)", (4, 0.0)),
    "urllib3 repeats no post": ("import urllib3\nP = urllib3.PoolManager()", "", "P.request('POST', u)", (1, 0.0)),
    "urllib3, told so": ("import urllib3\nP = urllib3.PoolManager(retries=False)", "", "P.request('GET', u)", (1, 0.0)),
    "urllib3, a policy": (
        "import urllib3\nP = urllib3.PoolManager(retries=urllib3.Retry(3, backoff_factor=1))",
        "",
        "P.request('GET', u)",
        (4, 6.0),
    ),
    "requests, mounted": (
        "import requests\nfrom requests.adapters import HTTPAdapter\nfrom urllib3 import Retry",
        "",
        (
            "s = requests.Session(); s.mount('https://', HTTPAdapter(max_retries=Retry(total=2, backoff_factor=0.5)));"
            " s.get(u)"
        ),
        (3, 1.0),
    ),
    "requests, a number is for connects": (
        "import requests\nfrom requests.adapters import HTTPAdapter",
        "",
        "s = requests.Session(); s.mount('https://', HTTPAdapter(max_retries=5)); s.get(u)",
        (1, 0.0),
    ),
    "openai": ("import openai\nO = openai.OpenAI()", "", "O.chat.completions.create()", (3, 1.5)),
    "openai, told so": ("import openai\nO = openai.OpenAI(max_retries=0)", "", "O.chat.completions.create()", (1, 0.0)),
    "boto3": ("import boto3\nS = boto3.client('s3')", "", "S.get_object()", (5, 15.0)),
    "boto3, told so": (
        (
            "import boto3\nfrom botocore.config import Config\n"
            "S = boto3.client('s3', config=Config(retries={'mode': 'standard', 'total_max_attempts': 2}))"
        ),
        "",
        "S.get_object()",
        (2, 1.0),
    ),
    "tenacity": (
        "import requests\nfrom tenacity import retry, stop_after_attempt, wait_fixed",
        "@retry(stop=stop_after_attempt(4), wait=wait_fixed(2))",
        "requests.get(u, timeout=3)",
        (4, 6.0),
    ),
    "tenacity, growing": (
        "import requests\nimport tenacity",
        "@tenacity.retry(wait=tenacity.wait_exponential(multiplier=1, max=3), stop=tenacity.stop_after_attempt(4))",
        "requests.get(u, timeout=3)",
        (4, 6.0),
    ),
    "tenacity for ever": ("import requests\nimport tenacity", "@tenacity.retry", "requests.get(u)", (math.inf, 0.0)),
    "tenacity by a rule of their own": (
        "import requests\nimport tenacity",
        "@tenacity.retry(stop=mine)",
        "requests.get(u)",
        (1, 0.0),
    ),
    "both": (
        "import urllib3\nfrom tenacity import retry, stop_after_attempt\nP = urllib3.PoolManager()",
        "@retry(stop=stop_after_attempt(2))",
        "P.request('GET', u)",
        (8, 0.0),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_attempts_and_sleeps_are_read_and_multiply_along_the_way(case, tmp_path):
    head, decorator, call, (attempts, slept) = case
    text = f"{head}\n\ndef tool(u):\n    return ask(u)\n\n{decorator}\ndef ask(u):\n    {call}\n"
    file = tmp_path / "tools.py"
    file.write_text(textwrap.dedent(text))
    line = text.splitlines().index("def tool(u):") + 1

    (wait,) = reachable(str(file), line, Known())

    assert (wait.repeats.attempts, wait.repeats.slept) == (attempts, pytest.approx(slept))
