"""The child process of ``local``: llama.cpp's server on a free port of this machine, until standard input closes."""

import contextlib
import importlib
import os
import sys
from typing import Any

_NICENESS = 10
_BATCH_TOKENS = 256


def main(weights: str, window_tokens: int, num_threads: int, niceness: int = _NICENESS) -> None:
    """Load, say where, and wait for the end of standard input; ``niceness`` is how far it stands back for others."""
    xllamacpp: Any = importlib.import_module("xllamacpp")  # compiled, without types

    with contextlib.suppress(OSError, AttributeError):
        os.nice(niceness)
    params = xllamacpp.CommonParams()
    params.model.path = weights
    params.n_ctx = window_tokens
    params.n_parallel = 1
    params.n_batch = _BATCH_TOKENS
    params.cpuparams.n_threads = num_threads
    params.cpuparams_batch.n_threads = num_threads
    params.n_gpu_layers = 0
    params.fit_params = False
    params.warmup = False
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)
    print(f"\nlistening {server.listening_address}", flush=True)
    sys.stdin.read()
    os._exit(0)  # its threads do not end by themselves


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
