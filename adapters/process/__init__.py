"""What every process of ours needs: its log, its signals, its parent, its secrets."""
