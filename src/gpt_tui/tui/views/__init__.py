"""The views under the number keys: one file a view, its style beside it."""
