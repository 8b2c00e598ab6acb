"""The market that trades on it: one latent price a coin, makers and takers."""
