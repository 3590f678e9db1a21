"""The sender: a process of its own for each job, `python -m healthguard.notify.sender`."""
