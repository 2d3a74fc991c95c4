"""What is heard and seen in a film: frames and samples in, spans, tracks and measures out. No corpus, no folder of work."""
