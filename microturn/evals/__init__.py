"""Measures models: suites of held-out scenarios, human recordings, and what a micro-turn costs.

``command`` is what the command line calls. Reading order: ``exchange``, ``spoken``, ``follow``, ``suites``, ``runner``.
"""
