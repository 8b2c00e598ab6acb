"""What people keep an eye on: log lines."""
