"""Atlas Scientific EZO circuits: one protocol on two wires, the commands, and what their sensors have in common."""
