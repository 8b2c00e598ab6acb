"""Deribit's protocol, spoken by the simulated venue."""
