"""The child side: the only place where crewai, SDKs and user code run."""
