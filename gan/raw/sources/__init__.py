"""Where raw media come from: a source a file. Each reads names and tables only, and lists what the stages after it will read."""
