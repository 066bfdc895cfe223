"""Probes lent to a worker in a foreign environment."""
