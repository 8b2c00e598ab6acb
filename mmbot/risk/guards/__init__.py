"""What may end all quoting: one guard a file. A guard sees the whole account: ok, pause, trip."""
