"""Probes that misbehave, lent to a worker in place of crewdoctor's own."""
