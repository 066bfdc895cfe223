"""The embedded endpoint: a model that costs nothing and misbehaves on demand."""
