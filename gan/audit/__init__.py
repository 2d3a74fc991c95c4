"""Is a corpus sound? One check a file: leaks between splits, imbalance, and clips and faces that are not what they should be."""
