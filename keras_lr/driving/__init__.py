"""The machine that applies base × factors; README.md is the walk of a metric to the weight."""
