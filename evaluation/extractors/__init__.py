"""Frozen face embedders, one public class a file."""
