"""One thread: small models are faster with it, and a product's rounding never depends on what else the machine does."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_DYNAMIC", "FALSE")
