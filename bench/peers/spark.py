"""The work of `lapwing bench pipeline` in PySpark Structured Streaming, on two cores.

Usage: python bench/peers/spark.py INPUT.jsonl [--stages] [--formulation per_event|windowed] [--batch-events N]

INPUT.jsonl holds telemetry events (`lapwing produce --output INPUT.jsonl`), at least 20,000 and in event-time order but
for what the watermark allows. Both formulations are measured unless one is named, and the faster one counts. What each
computes, and what it leaves out: bench/README.md. Text goes to stderr; the last line of stdout is one JSON object.
"""

import argparse
import itertools
import json
import os
import pathlib
import re
import sys
import tempfile
import time
import zlib

from spark_pipeline import CORES, FORMULATIONS, Pipeline

# About so many events the votes are fitted to: enough for the tails that their thresholds are taken from.
SAMPLE_EVENTS = 20_000
# Micro-batches that each query is run on before it is measured.
WARM_UP_BATCHES = 2
HOST = re.compile(rb'"host_id"\s*:\s*"([^"]*)"')
CONF = {
    "spark.driver.memory": "4g",
    "spark.driver.extraJavaOptions": "-XX:+UseParallelGC",
    "spark.sql.shuffle.partitions": CORES,
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": 50_000,
    "spark.sql.codegen.wholeStage": "true",
    "spark.sql.session.timeZone": "UTC",
    # A batch without events would only close windows at the end: time without rows.
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def fail(text):
    say(f"error: {text}")
    sys.exit(2)


def start_session(folder):
    """Starts the JVM on two cores; its Python workers inherit them."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[threads] = "1"
    # Of pandas, about how Spark's own worker joins frames; once per batch.
    os.environ["PYTHONWARNINGS"] = "ignore::FutureWarning"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{CORES}]").appName("lapwing-peer")
    for key, value in {**CONF, "spark.local.dir": str(folder / "spark")}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    for module in ("spark_features.py", "spark_pipeline.py"):
        spark.sparkContext.addPyFile(str(pathlib.Path(__file__).with_name(module)))
    spark.range(1).count()
    return spark


def write_alerts(writer, mode, folder):
    """Exactly once: the file sink where the mode allows it; else a folder per batch, which a repetition overwrites."""
    if mode == "append":
        return writer.format("json").option("path", str(folder / "alerts"))
    return writer.foreachBatch(
        lambda alerts, batch: alerts.write.mode("overwrite").json(str(folder / "alerts" / f"batch={batch}"))
    )


def run_query(rows, mode, to_files):
    """Runs a streaming query to the end of its input and returns what its progress reports say."""
    with tempfile.TemporaryDirectory(prefix="lapwing-spark-") as folder:
        folder = pathlib.Path(folder)
        writer = rows.writeStream.outputMode(mode).option("checkpointLocation", str(folder / "checkpoint"))
        writer = write_alerts(writer, mode, folder) if to_files else writer.format("noop")
        begun = time.perf_counter()
        query = writer.trigger(availableNow=True).start()
        query.awaitTermination()
        wall = time.perf_counter() - begun
        batches = [json.loads(p.json) for p in query.recentProgress if p.numInputRows]
        alerts = sum(sum(1 for _ in file.open()) for file in (folder / "alerts").glob("**/part-*.json"))
    seconds = [batch["durationMs"]["triggerExecution"] / 1000 for batch in batches]
    late = sum(o.get("numRowsDroppedByWatermark", 0) for batch in batches for o in batch["stateOperators"])
    rows = sum(batch["numInputRows"] for batch in batches)
    return {
        "rows": rows,
        "seconds": round(sum(seconds), 3),
        "wall_seconds": round(wall, 3),
        "batches_seconds": [round(s, 3) for s in seconds],
        "events_per_second": round(rows / sum(seconds)),
        "late": late,
        "alerts": alerts,
    }


def stages(pipeline, names, all_stages):
    """Yields (formulation or None, stage, query of a folder, output mode, whether alerts are written)."""
    if all_stages:
        yield None, "parse", pipeline.parse, "append", False
        yield None, "enrich", pipeline.enrich, "append", False
    for name in names:
        build, mode = FORMULATIONS[name]
        if all_stages:
            yield name, "windows", lambda folder, build=build: build(pipeline, folder, False), mode, False
        yield name, "all", lambda folder, build=build: build(pipeline, folder, True), mode, True


def measure(pipeline, names, all_stages, folder, events):
    """Returns results per formulation and stage; each query is warmed up first."""
    found = {name: {} for name in names}
    for name, stage, build, mode, to_files in stages(pipeline, names, all_stages):
        run_query(build(folder / "warm_up"), mode, to_files)
        result = run_query(build(folder / "input"), mode, to_files)
        if result["rows"] != events:
            fail(f"{stage} of {name}: Spark read {result['rows']} of {events} events")
        say(f"{name or 'both':>10} {stage:<8} {result['events_per_second']:>9,} events/s  {result}")
        for formulation in [name] if name else names:
            found[formulation][stage] = result
    return found


def split(path, folder, batch_events):
    """Splits the input into a file per micro-batch, the first ones also apart for the warm-up; returns the events."""
    (folder / "warm_up").mkdir()
    (folder / "input").mkdir()
    with path.open("rb") as lines:
        events = 0
        for number in itertools.count():
            part = list(itertools.islice(lines, batch_events))
            if not part:
                return events
            file = folder / "input" / f"{number:05}.jsonl"
            file.write_bytes(b"".join(part))
            # Spark takes files in the order of their age.
            os.utime(file, (1_000_000_000 + number, 1_000_000_000 + number))
            if number < WARM_UP_BATCHES:
                os.link(file, folder / "warm_up" / file.name)
            events += len(part)


def draw_sample(path, folder, events):
    """Writes about so many events as the votes need: all those of some hosts, so that their windows are whole."""
    share = max(events // SAMPLE_EVENTS, 1)
    sample = folder / "sample.jsonl"
    with path.open("rb") as lines, sample.open("wb") as file:
        found = ((line, HOST.search(line)) for line in lines)
        file.writelines(line for line, host in found if host and zlib.crc32(host[1]) % share == 0)
    return sample


def summary(spark, found, start_up):
    fastest = max(found, key=lambda name: found[name]["all"]["events_per_second"])
    best = found[fastest]["all"]
    return {
        "system": "spark",
        "version": spark.version,
        "rows": best["rows"],
        "seconds": best["seconds"],
        "events_per_second": best["events_per_second"],
        "stages": {stage: result["events_per_second"] for stage, result in found[fastest].items()},
        "formulation": fastest,
        "wall_seconds": best["wall_seconds"],
        "start_up_seconds": round(start_up, 3),
        "alerts": best["alerts"],
        "formulations": found,
    }


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=pathlib.Path, help="telemetry events, a JSON object a line")
    parser.add_argument("--stages", action="store_true", help="measure the cumulative stages too")
    parser.add_argument("--formulation", choices=FORMULATIONS, help="measure this one alone")
    parser.add_argument("--batch-events", type=int, default=50_000, help="events of a micro-batch")
    return parser.parse_args()


def main():
    given = arguments()
    if not given.input.is_file():
        fail(f"{given.input} is not a file; `lapwing produce --output {given.input}` writes one")
    with tempfile.TemporaryDirectory(prefix="lapwing-spark-input-") as folder:
        folder = pathlib.Path(folder)
        events = split(given.input, folder, given.batch_events)
        if events < SAMPLE_EVENTS:
            fail(f"{given.input} holds {events} events; at least {SAMPLE_EVENTS} are needed")
        begun = time.perf_counter()
        spark = start_session(folder)
        start_up = time.perf_counter() - begun
        say(f"Spark {spark.version} on {CORES} cores, started in {start_up:.1f} s; {events} events")
        names = [given.formulation] if given.formulation else list(FORMULATIONS)
        found = measure(Pipeline(spark, draw_sample(given.input, folder, events)), names, given.stages, folder, events)
        result = summary(spark, found, start_up)
        spark.stop()
    print(json.dumps(result))


if __name__ == "__main__":
    main()
