"""What `--loss` and `--mining` may be; without torch, so that a command can list them at once."""

LOSSES = ("triplet", "supcon", "arcface", "center")
MINING = ("all", "random", "semi-hard", "batch-hard", "curriculum")
