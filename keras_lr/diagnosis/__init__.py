"""What can be said of a run or a plan from numbers alone: pure functions, NumPy only."""
