"""Validation: how well headway predicts what it was not fitted on, and public anchors beside it."""
