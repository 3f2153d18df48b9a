"""Finding playbooks and apps in files."""
