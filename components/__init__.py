"""The components of Ciclo, one folder for each stage."""

import os

# Threads of OpenMP and OpenBLAS that spin while they wait make two fits on the same cores many times slower than one
# after the other. Both libraries read this when they are loaded, so it has to be said first.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
