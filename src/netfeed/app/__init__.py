"""What the command line does: captures in, books and reports out. Rooms are wired together here and nothing else."""
