"""One file per format: `render(report) -> str`."""
