"""What tests of several layers share: deadlines, controllable apps, the daemon as a process."""
