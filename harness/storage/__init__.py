"""What is kept on the disk: records, predictions, trained tensors; written whole or not at all."""
