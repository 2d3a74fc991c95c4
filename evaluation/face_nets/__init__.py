"""Face networks trained on, or fitted with weights for, a corpus: differentiable, for losses and for classifiers."""
