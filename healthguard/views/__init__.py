"""Facts as words and documents, made once for every door."""
