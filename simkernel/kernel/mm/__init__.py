"""Memory that devices reach by address."""
