#!/usr/bin/env bash
# Log templates: Lapwing and Drain3 on the same messages, one core each, and how well Lapwing groups them.
# Usage: LAPWING_DATA=folder bench/logs/run.sh [LINES]
# Needs Python 3.11 or newer with venv, and cargo. Python packages go to .cache/logs.
set -euo pipefail

if [[ -z ${LAPWING_DATA:-} || ! -f $LAPWING_DATA/hdfs/HDFS_20000.log.gz ]]; then
    echo "bench/logs/run.sh: LAPWING_DATA names no folder with hdfs/HDFS_20000.log.gz" >&2
    exit 2
fi
lines=${1:-2000000}
data=$(realpath "$LAPWING_DATA")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=.cache/logs
requirements=bench/logs/requirements.txt
if ! cmp --silent "$requirements" "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --requirement "$requirements"
    cp "$requirements" "$venv/requirements.txt"
fi
cargo build --quiet --release -p lapwing-logs --example templates
templates=${CARGO_TARGET_DIR:-target}/release/examples/templates
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT

# What follows `component: ` in a line of HDFS; what follows the level in a line of BlueGene/L.
gzip -dc "$data/hdfs/HDFS_20000.log.gz" | sed 's/^[^:]*: //' >"$folder/hdfs"
gzip -dc "$data/bgl/bgl_first_50000.log.gz" | cut -d' ' -f10- >"$folder/bgl"

"$templates" "$folder/hdfs" --assign "$folder/learned" >"$folder/told"
echo "hdfs, learned: $("$venv/bin/python" bench/logs/grouping.py "$data/hdfs/templates.csv" "$folder/hdfs" "$folder/learned")"
for list in "$data/hdfs/templates.csv" pipelines/reference/hdfs-templates.csv; do
    "$templates" "$folder/hdfs" --no-learn --seed "$list" --assign "$folder/$(basename "$list")" >"$folder/told"
done
cmp "$folder/templates.csv" "$folder/hdfs-templates.csv" && echo "hdfs, known: both lists agree on every line"
for name in hdfs bgl; do
    "$venv/bin/python" bench/logs/drain3.py "$folder/$name" "$((lines / 10))" | sed "s/^/$name, Drain3, /"
    echo "$name, Lapwing, learned: $("$templates" "$folder/$name" --lines "$lines" | tr '\n' ' ')"
done
echo "hdfs, Lapwing, with parameters: $("$templates" "$folder/hdfs" --lines "$lines" --parameters | sed -n 1p)"
echo "hdfs, Lapwing, known: $("$templates" "$folder/hdfs" --lines "$lines" --no-learn --seed "$data/hdfs/templates.csv" | sed -n 1p)"
echo "every line unique:"
"$templates" "$folder/hdfs" --lines "$lines" --every "$((lines / 5))" --unique
