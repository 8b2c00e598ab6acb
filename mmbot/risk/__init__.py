"""What may not happen: one rule a file. A rule judges one target: allow, shrink or block."""
