"""One exchange: accounts, books, matching, margin, settlement. Pure."""
