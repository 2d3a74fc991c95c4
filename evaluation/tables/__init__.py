"""Results rows -> tables and plots."""
