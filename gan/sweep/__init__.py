"""A YAML of many runs -> runs, rows and tables: plan (what to do), task (one process' share), run (until all is done), status."""
