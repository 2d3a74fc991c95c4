"""How sure a number is: intervals that resample speakers."""
