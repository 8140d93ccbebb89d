"""What tests of several parts start and stop."""
