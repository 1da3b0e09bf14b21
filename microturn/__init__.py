"""microturn: the open stack for interaction models."""

__version__ = "0.1.0"
