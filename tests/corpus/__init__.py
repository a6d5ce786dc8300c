"""Photo files as feeds really deliver them: damaged, disguised, hostile, or merely unusual."""
