"""The verbs, a file each or a few that belong together: `headway.cli.app` offers every public function of a file that lies here."""
