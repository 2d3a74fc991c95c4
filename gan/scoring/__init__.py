"""Scoring: systems that draw faces -> evaluation -> results rows."""
