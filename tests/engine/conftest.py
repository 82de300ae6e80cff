import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # small_run serves these tests and the processes that they start
