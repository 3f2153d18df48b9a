"""What people see on their terminal."""
