"""The verbs: text in, tensors and answers out."""
