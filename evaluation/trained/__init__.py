"""Judges that are trained on the corpus's real faces."""
