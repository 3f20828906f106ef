"""The local driver: applications as processes of this machine. The programs it starts import from here: stay empty."""
