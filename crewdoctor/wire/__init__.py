"""All that crosses a process or a disk: codec, frames, redaction, schema."""
