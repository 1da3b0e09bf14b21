"""``bench network``: spoken exchanges with a running server while the network between is good, bad, and good again."""
