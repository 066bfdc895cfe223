"""How a probe talks to a model: the prompt, the raw SDK client, and patience. Standard library only at module level."""
