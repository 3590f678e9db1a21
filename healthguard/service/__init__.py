"""Asyncio, wiring and talking to people. May import edges and core."""
