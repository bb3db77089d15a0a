"""Audit chains: how their entries are sealed, how one is appended, and how a chain is verified and anchored."""
