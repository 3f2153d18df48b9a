"""What Prefect keeps of assets and apps."""
