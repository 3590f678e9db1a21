"""This machine: its clock, files, sockets. Exceptions become values here."""
