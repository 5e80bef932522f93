"""The simulated vessel: a program of its own that stands in for the hardware, below the drivers.

It shares no code with the drivers: its circuits are a second, independent reading of the circuits' protocol.
"""
