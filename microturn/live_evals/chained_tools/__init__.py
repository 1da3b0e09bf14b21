"""Chained tools: spoken requests with self-corrections that take several dependent calls. Start at ``run``."""
