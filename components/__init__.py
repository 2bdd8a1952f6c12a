"""The components of Ciclo, one folder for each stage."""

import os

# OpenMP threads that spin while they wait make two fits on the same cores fifty times slower than one. OpenMP reads
# this when scikit-learn is imported, so it has to be said first.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
