"""A wider pool for a live model's client, and only for clients that have one."""

from types import SimpleNamespace

import httpx

from crewdoctor.worker.wider import widened


def sizes(client):
    return client._transport._pool._max_connections


def test_every_pool_of_the_client_is_widened_and_none_is_narrowed():
    small, large = (httpx.Client(limits=httpx.Limits(max_connections=size), trust_env=False) for size in (2, 500))
    models = [SimpleNamespace(_client=SimpleNamespace(_client=each)) for each in (small, large)]

    assert [widened(each, 16) for each in models] == [1, 1]
    assert (sizes(small), sizes(large)) == (16, 500)


def test_a_model_without_a_client_has_none():
    assert widened(SimpleNamespace(_client=None), 16) == widened(object(), 16) == 0
