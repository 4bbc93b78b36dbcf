"""What machines that watch are told: figures and traces. On the ground floor: only ids come from the core."""
