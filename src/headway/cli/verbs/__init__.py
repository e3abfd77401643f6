"""The verbs, a file each or a few that belong together; `headway.cli.app` registers every file that lies here."""
