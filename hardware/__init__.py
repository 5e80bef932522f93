"""Value types, drivers and buses: no sockets, no actors, no threads (the vessel alone is a program of its own)."""
