"""Evaluations with a real background model: what is asked for reaches a coordinator, and its backend answers.

Two of them: ``delegation``, whether a conversation hands over what it should and tells what comes back, and
``chained_tools``, whether several dependent calls come out right, with an interaction model in front or without. They
stand apart from ``microturn.evals`` since they need an engine, a coordinator and a backend around them.
"""
