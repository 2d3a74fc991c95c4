"""The toy world: speakers, faces and voices drawn from a seed; NumPy only."""
