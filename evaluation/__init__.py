"""Scores for folders of faces: frozen nets, metrics, intervals and tables. Knows nothing of how the faces were made."""
