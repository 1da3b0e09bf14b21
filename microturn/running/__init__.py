"""`microturn run`: a recording in, the model's answer and a picture of every micro-turn out."""

from microturn.running.command import run_file

__all__ = ["run_file"]
