#!/usr/bin/env bash
# Spark and Lapwing do the same work on the same file and the same two cores; prints both results and their ratio.
# Usage: bench/peers/run.sh INPUT.jsonl [OPTIONS OF spark.py]
# Needs Python 3.11 or newer with venv, Java 17 or newer, cargo. Python packages go to .cache/peers.
set -euo pipefail

if [[ $# -lt 1 || ! -f $1 ]]; then
    echo "usage: bench/peers/run.sh INPUT.jsonl [--stages] [--formulation per_event|windowed] [--batch-events N]" >&2
    echo "hint: lapwing produce --output INPUT.jsonl --span 1h --density 100 writes one" >&2
    exit 2
fi
input=$(realpath "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=.cache/peers
requirements=bench/peers/requirements.txt
if ! cmp --silent "$requirements" "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$requirements"
    cp "$requirements" "$venv/requirements.txt"
fi

# Spark keeps to the first two cores that it may use; Lapwing gets the same ones.
cores=$(python3 -c 'import os; print(",".join(map(str, sorted(os.sched_getaffinity(0))[:2])))')
lapwing=(cargo run --release --)
cargo build --release
spark_result=$("$venv/bin/python" bench/peers/spark.py "$input" "$@" | tail -n 1)
lapwing_result=$(taskset --cpu-list "$cores" "${lapwing[@]}" bench pipeline --input "$input" --json | tail -n 1)

echo "spark   $spark_result"
echo "lapwing $lapwing_result"
python3 - "$spark_result" "$lapwing_result" <<'PYTHON'
import json
import sys

spark, lapwing = map(json.loads, sys.argv[1:])
peer = spark["events_per_second"]
print(f"spark, exactly once, {spark['formulation']}: {peer:,.0f} events/s")
# Spark's figure includes its checkpoints, so the run through Lapwing's log, which commits, is its counterpart.
for name, result in (("through the log, exactly once", lapwing.get("embedded")), ("from the file", lapwing)):
    if result:
        speed = result["events_per_second"]
        print(f"lapwing, {name}: {speed:,.0f} events/s, ratio {speed / peer:.1f}")
PYTHON
