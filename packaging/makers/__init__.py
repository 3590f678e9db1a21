"""Files that are made from the program: completions, manual pages, the schema of the API."""
