"""The page for people: what the guard sees, live, read only.

One tree of elements is made on the server. It is written as HTML for the first look (complete
without JavaScript) and sent as JSON by server-sent events afterwards: the browser builds elements
from it and never parses HTML that we send later.
"""
