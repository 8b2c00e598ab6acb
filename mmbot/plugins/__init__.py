"""Plug-ins: the one list of them, and how a table of settings becomes one."""
