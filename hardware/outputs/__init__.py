"""Outputs: what switches or modulates something, whatever hangs on it. Drivers give them settings and a name."""
