"""How a node is configured and started: environment and files become frozen configuration, then running actors."""

import os

# Before loguru is imported: until a process has its log, loguru's own would tell what variables held, passwords too.
os.environ["LOGURU_DIAGNOSE"] = "NO"
