"""What the audit chains must say, worked out a second time in plain Python.

Nothing of the package is imported: hashes come from hashlib and json alone, so that a mistake shared by the writer and
the verifier of the package shows here.
"""
