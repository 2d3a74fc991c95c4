"""Real faces that drawn ones are held against."""
