"""The store: what must survive the process. Runs, orders, fills, positions, latch, lease, commands.

Reading order: locations.py (where a store is), schema.py (what is in it), records.py (what the
engine hands over and what comes back), writer.py (the thread that writes), queries.py (what
people ask). Only this room imports SQLAlchemy.
"""
