"""The verbs: one file per group, registered on the application when imported."""
