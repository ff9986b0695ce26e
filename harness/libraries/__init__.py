"""What is asked of other libraries beyond their public names, one module each."""
