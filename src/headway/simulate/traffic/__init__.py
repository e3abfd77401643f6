"""Traffic: who asks what and when; drawn from processes, or replayed from files and the catalogue's traces."""
