"""What users import into their own code."""
