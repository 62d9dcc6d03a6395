"""What stands behind the import name ``autogen``."""
