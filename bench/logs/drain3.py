"""How many messages per second Drain3 gives a template, on one core.

Usage: python bench/logs/drain3.py MESSAGES [LINES]

The messages, one per line, are repeated until there are LINES of them. Masks and settings are those of Drain3's own
example (`examples/drain3.ini`), which also are Lapwing's: depth 4, similarity 0.4, 100 children. Without `MaxClusters`
Drain3 would keep every template for ever; it gets Lapwing's 5,000. Masks are most of its work, so it also runs without any.
Seconds are the process's processor time.
"""

import sys
import time

# The file must not be found in place of the package that it measures.
sys.path = sys.path[1:]
from drain3 import TemplateMiner  # noqa: E402
from drain3.masking import MaskingInstruction  # noqa: E402
from drain3.template_miner_config import TemplateMinerConfig  # noqa: E402

BOUND = r"((?<=[^A-Za-z0-9])|^)", r"((?=[^A-Za-z0-9])|$)"
MASKS = {
    "ID": r"(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))",
    "IP": r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})",
    "SEQ": r"([0-9a-f]{6,} ?){3,}",
    "HEX": r"(0x[a-f0-9A-F]+)",
    "NUM": r"([\-\+]?\d+)",
}


def miner(masks):
    config = TemplateMinerConfig()
    config.drain_depth, config.drain_sim_th = 4, 0.4
    config.drain_max_children, config.drain_max_clusters = 100, 5_000
    config.masking_instructions = [MaskingInstruction(BOUND[0] + mask + BOUND[1], name) for name, mask in masks.items()]
    return TemplateMiner(config=config)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        messages = file.read().splitlines()
    lines = int(sys.argv[2]) if len(sys.argv) > 2 else len(messages)
    for name, masks in (("its masks", MASKS), ("no masks", {})):
        template_miner = miner(masks)
        start = time.process_time()
        for number in range(lines):
            template_miner.add_log_message(messages[number % len(messages)])
        speed = lines / (time.process_time() - start)
        print(f"{name}: {lines} lines, {len(template_miner.drain.clusters)} templates: {speed:.0f} lines/s")


main()
