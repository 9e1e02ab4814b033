"""The pgflow state machine: its SQL, its migrations and the migrator."""
