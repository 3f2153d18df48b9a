"""Real parts, real faults at random times, and only truths about the whole at the end."""
