"""Metrics, one public class a file; the file's name is the metric's name in a config."""
