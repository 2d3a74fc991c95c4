"""Where a sweep's tasks run: one file a launcher, `launcher: {name: local}`."""
