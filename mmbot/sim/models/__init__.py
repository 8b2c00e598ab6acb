"""What a venue adds of its own: what can go wrong, and how requests are paid for."""
