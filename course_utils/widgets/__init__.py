"""The interactive figures: one module a lesson, over what they share in ``core``."""
