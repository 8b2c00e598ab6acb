"""What was earned and why: arithmetic on what the store has kept. Pure: rows in, numbers out."""
