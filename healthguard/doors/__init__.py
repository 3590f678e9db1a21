"""What both doors have in common: orders on the unix socket, the page and metrics on TCP.

Nothing is imported here: aiohttp comes late, see ``server_only``.
"""
