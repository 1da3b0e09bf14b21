"""Tensors only: the interaction model, its state, its grammar and its checkpoints."""
