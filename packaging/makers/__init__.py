"""Files of the package that are made from the command line: completions and manual pages."""
