"""Programs that train on two devices or as one of two workers; test_distribution.py runs them."""
