"""What apps that talk to web servers share."""
