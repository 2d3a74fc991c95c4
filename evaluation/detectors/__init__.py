"""Frozen face detectors, one public class a file."""
