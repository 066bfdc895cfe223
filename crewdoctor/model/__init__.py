"""Frozen, slotted dataclasses every room speaks in. Standard library only; no I/O, no logic beyond reading itself."""
