"""The shell around the core: the clock, the inbox, and the loop that runs turns."""
