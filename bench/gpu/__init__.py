"""What runs only where there is an NVIDIA GPU: `make gpu`. Nothing here is imported elsewhere."""
