"""The terminal report as styled lines: what is said, in which order. `report/terminal.py` paints them."""
