"""The application's work in the background."""
