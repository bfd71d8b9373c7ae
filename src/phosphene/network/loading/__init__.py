"""Networks from files, libraries and catalogues, with their weights."""
