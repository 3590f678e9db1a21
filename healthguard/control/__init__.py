"""The control API: HTTP/1.1 with JSON on a unix socket. See ``docs/api.md``.

``server.start_control`` is the way in. Nothing is imported here: aiohttp costs 130 ms, and the
daemon pays that only after its first probes have started.
"""
