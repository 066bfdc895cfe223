"""Computed ceilings against a simulated clock that the libraries' own retry policies run on."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from unittest import mock

import anthropic
import httpx
import openai
import pytest
import tenacity
import urllib3
from botocore.config import Config
from botocore.session import get_session
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from crewdoctor.budget import backoff
from crewdoctor.budget.arithmetic import attempt_ceiling, call_ceiling
from crewdoctor.model.backoff import BOTOCORE, BOTOCORE_LEGACY, Backoff, urllib3_backoff
from crewdoctor.model.setting import Seconds

sys.path.insert(0, str(Path(__file__).parent))
from simulated import Clock, Network, handshake, played

limits = st.floats(0.1, 900).map(lambda value: round(value, 3))
phases = st.sampled_from(["connect", "tls", "answer"])
fractions = st.floats(0, 1)
CLOSE = 1e-6
MOST = settings(max_examples=60, deadline=None)


def spent(network, connect, read):
    """What one attempt takes where the peer is silent from this phase on."""
    return (network.addresses - 1) * connect + (read if network.silent == "answer" else connect)


def longest_phase(network, connect, read):
    """Whether the peer is silent where silence lasts longest."""
    return spent(network, connect, read) == (network.addresses - 1) * connect + max(connect, read)


@pytest.mark.parametrize("sdk", [openai, anthropic], ids=lambda each: each.__name__)
@MOST
@given(limits, limits, st.integers(0, 9), st.integers(1, 3), phases, fractions)
def test_a_call_of_an_sdk_ends_at_its_ceiling_and_never_after_it(
    sdk, connect, read, retries, addresses, silent, jitter
):
    network = Network(Clock(), addresses, silent)
    http = httpx.Client(verify=handshake(), trust_env=False)
    timeout = httpx.Timeout(read, connect=connect)
    kind = openai.OpenAI if sdk is openai else anthropic.Anthropic
    client = kind(api_key="k", base_url="https://model.test/v1", timeout=timeout, max_retries=retries, http_client=http)
    name = f"{sdk.__name__}._base_client.random"

    with played(network) as clock, mock.patch(name, return_value=jitter), pytest.raises(sdk.APIConnectionError):
        client.post("/chat", cast_to=object, body={})

    ceiling = call_ceiling(attempt_ceiling(Seconds(connect), Seconds(read), addresses), retries)
    assert clock.now <= ceiling.value + CLOSE
    assert clock.now == pytest.approx((retries + 1) * spent(network, connect, read) + clock.slept)
    if jitter == 0:
        assert clock.slept == pytest.approx(backoff(retries))
        assert clock.now == pytest.approx(ceiling.value) or not longest_phase(network, connect, read)


@MOST
@given(limits, limits, st.integers(0, 7), st.floats(0, 5), st.floats(0, 120), st.integers(1, 3), phases)
def test_urllib3_retries_as_often_and_sleeps_as_long_as_computed(
    connect, read, total, factor, longest, addresses, silent
):
    network = Network(Clock(), addresses, silent)
    policy = urllib3.Retry(total, backoff_factor=factor, backoff_max=longest)
    timeout = urllib3.Timeout(connect=connect, read=read)
    pool = urllib3.PoolManager(timeout=timeout, retries=policy, ssl_context=handshake())

    with played(network) as clock, pytest.raises(urllib3.exceptions.MaxRetryError):
        pool.request("GET", "https://tool.test/")

    slept = urllib3_backoff(factor, longest)
    ceiling = call_ceiling(attempt_ceiling(Seconds(connect), Seconds(read), addresses), total, slept)
    assert clock.slept == pytest.approx(slept.sleeps(total))
    assert clock.now <= ceiling.value + CLOSE
    assert clock.now == pytest.approx(ceiling.value) or not longest_phase(network, connect, read)


@pytest.mark.parametrize("mode", ["standard", "adaptive", "legacy"])
@settings(max_examples=12, deadline=None)
@given(limits, limits, st.integers(1, 6), st.integers(1, 3), st.sampled_from(["connect", "answer"]))
def test_botocore_never_outlives_its_ceiling_and_makes_every_attempt(mode, connect, read, attempts, addresses, silent):
    network = Network(Clock(), addresses, silent)
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        retries={"mode": mode, "total_max_attempts": attempts},
        proxies={},
    )
    client = get_session().create_client(
        "sts",
        region_name="us-east-1",
        endpoint_url="http://model.test",
        aws_access_key_id="k",
        aws_secret_access_key="k",
        config=config,
    )

    with played(network) as clock, contextlib.suppress(Exception):
        client.get_caller_identity()

    policy = BOTOCORE_LEGACY if mode == "legacy" else BOTOCORE
    ceiling = call_ceiling(attempt_ceiling(Seconds(connect), Seconds(read), addresses), attempts - 1, policy)
    assert clock.now <= ceiling.value + CLOSE
    assert clock.slept <= policy.sleeps(attempts - 1) + CLOSE
    assert clock.now == pytest.approx(attempts * spent(network, connect, read) + clock.slept)


@MOST
@given(limits, st.integers(1, 8), limits, st.floats(1, 4), limits, limits)
def test_tenacity_waits_between_attempts_as_computed(timeout, attempts, multiplier, growth, shortest, longest):
    assume(shortest <= longest)
    clock = Clock()
    wait = tenacity.wait_exponential(multiplier=multiplier, exp_base=growth, min=shortest, max=longest)
    again = tenacity.Retrying(stop=tenacity.stop_after_attempt(attempts), wait=wait)

    with played(Network(clock)), pytest.raises(tenacity.RetryError):
        again(clock.wait, timeout)

    policy = Backoff(multiplier, growth, longest, shortest=shortest)
    assert clock.now == pytest.approx(call_ceiling(Seconds(timeout), attempts - 1, policy).value)


@MOST
@given(limits, limits, limits)
def test_tenacity_stopped_by_time_begins_no_attempt_after_it(timeout, delay, pause):
    clock = Clock()
    again = tenacity.Retrying(stop=tenacity.stop_after_delay(delay), wait=tenacity.wait_fixed(pause))

    with played(Network(clock)), pytest.raises(tenacity.RetryError):
        again(clock.wait, timeout)

    assert clock.now <= delay + pause + timeout + CLOSE
