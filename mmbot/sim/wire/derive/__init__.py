"""Derive's wire protocol (v3) around the simulated exchange: JSON-RPC over WebSocket and HTTP POST.

Written without the client: the two meet in frames alone.
"""
