"""The main program: the guard of all pools of this host."""
