"""Differentiable face networks for losses and classifiers, trained on a corpus or read from a weight file."""
