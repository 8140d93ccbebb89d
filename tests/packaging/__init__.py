"""Tests of what `pip install` leaves on a machine: the wheel, where the checkout is out of reach."""
