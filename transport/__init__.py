"""What crosses a process boundary: messages, envelope codec, sockets, keys, liveness."""
