"""The root program that moves the link: its service, its protocol, its client."""
