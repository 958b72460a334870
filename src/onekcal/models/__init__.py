"""What is fitted to energies: the protocol, sums of stages, kernels, regression."""
