"""Steps tried out on one fold, none of which makes a run: rates, batch sizes, policies, pictures, timings."""
