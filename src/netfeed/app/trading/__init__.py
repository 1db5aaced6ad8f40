"""The engine among sockets, files and people: sessions, secrets, the journal, the kill switch, what is shown."""
