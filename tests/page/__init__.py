"""The page, in a real browser against the API as it is shipped."""
