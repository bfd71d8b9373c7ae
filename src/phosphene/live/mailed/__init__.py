"""The bench that needs no server: a network as operations that a page runs by itself."""
