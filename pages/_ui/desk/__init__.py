"""The review desk, one module for each of its views."""
