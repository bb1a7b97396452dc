"""From a database to archives of raw records on this machine."""
