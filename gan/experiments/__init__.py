"""The published systems' experiments, one a file: a trained run and voices -> a sheet of faces and its numbers."""
