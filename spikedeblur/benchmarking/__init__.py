"""Quality, speed and memory of the methods, on cases with ground truth or on made-up frames."""
