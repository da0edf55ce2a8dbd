"""What the benchmark is made of: cases, programs, rates, timing, a table and a picture."""
