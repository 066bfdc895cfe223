"""Which tests go first: those that wait for real servers and processes, so that the quick ones fill what is left."""

_SLOW = ("lab", "netns", "crewai")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: not _is_slow(item))


def _is_slow(item):
    return "e2e" in item.path.parts or any(item.get_closest_marker(name) for name in _SLOW)
