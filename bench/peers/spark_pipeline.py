"""The queries of the Spark peer: parse, enrich, and two formulations of windows, votes and alerts.

`spark.py` measures them; bench/README.md says what they compute. Functions that run in Python workers import what they
need themselves.
"""

import pathlib
import tomllib

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The pipeline that `lapwing bench pipeline` runs.
PIPELINE = REPOSITORY / "bench" / "telemetry.toml"
CORES = 2
# What an alert says of its event.
WORDS = ["uuid", "host_id", "role", "utc"]
TYPES = {"int": "BIGINT", "float": "DOUBLE", "text": "STRING", "time": "TIMESTAMP"}


class Pipeline:
    """What both formulations share: the settings of the pipeline file, parse and enrich, the trained votes."""

    def __init__(self, spark, sample):
        settings = tomllib.loads(PIPELINE.read_text())
        self.spark, self.query, self.schema = spark, settings["enrich"]["query"], settings["schema"]
        hosts = REPOSITORY / "pipelines" / settings["enrich"]["tables"]["hosts"]
        self.hosts = spark.read.csv(str(hosts), header=True).cache()
        self.hosts.count()
        rows = self.enriched(self.parsed(spark.read.text(str(sample))))
        self.numbers = [field.name for field in rows.schema if field.dataType.typeName() in ("long", "double")]
        self.train(settings, rows.where(settings["train"]["where"]).toPandas())

    def parsed(self, lines):
        from pyspark.sql import functions as F

        ddl = ", ".join(f"`{name}` {TYPES[kind]}" for name, kind in self.schema.items())
        return lines.select(F.from_json("value", ddl).alias("e")).select("e.*")

    def enriched(self, events):
        """Runs the pipeline file's own query; Spark understands it as it stands."""
        from pyspark.sql import functions as F

        events.createOrReplaceTempView("events")
        F.broadcast(self.hosts).createOrReplaceTempView("hosts")
        return self.spark.sql(self.query)

    def parse(self, folder):
        return self.parsed(self.spark.readStream.option("maxFilesPerTrigger", 1).text(str(folder)))

    def enrich(self, folder):
        return self.enriched(self.parse(folder))

    def train(self, settings, rows):
        """Columns are counted alike everywhere: the numbers of an event, then those of its windows."""
        import numpy
        from spark_features import Votes, columns_of, events, window_features

        windows = {name: len(self.numbers) + place for name, place in columns_of(settings["features"]).items()}
        places = {**{name: place for place, name in enumerate(self.numbers)}, **windows}
        z_columns = [places[name] for name in settings["detect"]["spike"]["inputs"]]
        hosts = rows["host_id"].astype("category").cat.codes
        made = events(hosts, rows["utc"].astype("datetime64[us]").astype("int64"), rows["total_bytes"])
        matrix = numpy.column_stack([rows[self.numbers], window_features(made[:0], made)]).astype("f4")
        self.event_votes = Votes(matrix, len(self.numbers), z_columns)
        self.full_votes = Votes(matrix, matrix.shape[1], z_columns)

    def numeric(self):
        """The numbers of an event as the forest takes them, under names of their own."""
        from pyspark.sql import functions as F

        return [F.col(name).cast("float").alias(f"n{place}") for place, name in enumerate(self.numbers)]


def per_event(pipeline, folder, with_forest):
    """Every event gets its own sliding windows: the last hour of half of the hosts is one state, updated in numpy."""
    from pyspark.sql import functions as F

    host = F.xxhash64("host_id")
    buckets = F.array(*map(F.lit, one_bucket_per_partition(pipeline.spark)))
    bucket = F.element_at(buckets, (F.pmod(host, F.lit(CORES)) + 1).cast("int"))
    known = (*map(F.col, WORDS), F.col("total_bytes"), host.alias("host"), bucket.alias("bucket"))
    rows = pipeline.enrich(folder).select(*known, *pipeline.numeric()).withWatermark("utc", "90 seconds")
    votes = pipeline.spark.sparkContext.broadcast(pipeline.full_votes)
    fields = "uuid STRING, host_id STRING, role STRING, utc TIMESTAMP, score FLOAT, z FLOAT"
    run = stateful_votes(votes, WORDS, len(known), with_forest)
    return rows.groupBy("bucket").applyInPandasWithState(run, fields, "history BINARY", "append", "EventTimeTimeout")


def one_bucket_per_partition(spark):
    """Keys that Spark's hash spreads evenly: with two keys taken at random, both could meet in one partition."""
    from pyspark.sql import functions as F

    keys = spark.range(64).select(F.col("id").cast("int").alias("key"))
    found = keys.groupBy(F.pmod(F.hash("key"), F.lit(CORES)).alias("partition")).agg(F.min("key").alias("key"))
    return [row["key"] for row in found.orderBy("partition").collect()]


def stateful_votes(votes, words, first_number, with_forest):
    """The function of `applyInPandasWithState`: history and events in, alerts out."""

    def run(_, frames, state):
        import numpy
        import pandas
        from spark_features import EVENT, events, still_needed, window_features

        rows = pandas.concat(list(frames), ignore_index=True)
        history = numpy.frombuffer(state.get[0], EVENT) if state.exists else numpy.empty(0, EVENT)
        batch = events(rows["host"], rows["utc"].astype("datetime64[us]").astype("int64"), rows["total_bytes"])
        windows = window_features(history, batch)
        state.update((still_needed(history, batch, state.getCurrentWatermarkMs() * 1000).tobytes(),))

        matrix, model = numpy.column_stack([rows.iloc[:, first_number:].to_numpy("f4"), windows]), votes.value
        z = model.largest_z(matrix)
        score = model.scores(matrix) if with_forest else numpy.zeros(len(rows), "f4")
        flagged = (z > model.z_limit) | (score > model.forest_limit)
        yield rows.loc[flagged, words].assign(score=score[flagged], z=z[flagged])

    return run


def windowed(pipeline, folder, with_forest):
    """Tumbling windows inside the JVM: one row per host and window that changed, with its events' highest scores."""
    from pyspark.sql import functions as F
    from spark_features import MEASURES, SECOND, SPANS

    votes, second = pipeline.event_votes, F.unix_timestamp("utc")
    score = forest_score(pipeline)(*pipeline.numeric()) if with_forest else F.lit(0.0).cast("float")
    starts = [
        F.struct(F.lit(name).alias("span"), F.timestamp_seconds(second - second % (micros // SECOND)).alias("start"))
        for name, micros in SPANS.items()
    ]
    keys = ["host_id", "role"]
    events = pipeline.enrich(folder).withWatermark("utc", "90 seconds")
    events = events.select(*keys, "utc", "total_bytes", score.alias("score"), event_z(pipeline).alias("z"))
    # The hour holds the watermark, so that Spark forgets a window; the shorter ones lie within it.
    grouped = events.select("*", F.inline(F.array(*starts))).groupBy(F.window("utc", "1 hour"), *keys, "span", "start")
    measures = zip(MEASURES, (F.count, F.mean, F.max, F.stddev_pop))
    highest = [F.max(name).alias(name) for name in ("score", "z")]
    windows = grouped.agg(*(measure("total_bytes").alias(name) for name, measure in measures), *highest)
    rows = windows.withColumn("z", F.greatest("z", window_z(pipeline))).drop("window")
    return rows.where((F.col("z") > votes.z_limit) | (F.col("score") > votes.forest_limit))


def event_z(pipeline):
    """The largest z of the inputs that are numbers of an event."""
    from pyspark.sql import functions as F

    votes, width = pipeline.event_votes, len(pipeline.numbers)
    inputs = [(F.col(pipeline.numbers[place]), at) for at, place in enumerate(votes.z_columns) if place < width]
    return F.greatest(F.lit(0.0), F.lit(0.0), *(z(column, votes, at) for column, at in inputs))


def window_z(pipeline):
    """The largest z of the inputs that are features of the row's window; 0 if none of them is."""
    from pyspark.sql import functions as F
    from spark_features import MEASURES, SPANS

    votes, width = pipeline.event_votes, len(pipeline.numbers)
    known = [(span, measure) for span in SPANS for measure in MEASURES]
    inputs = [(*known[place - width], at) for at, place in enumerate(votes.z_columns) if place >= width]
    found = [F.when(F.col("span") == span, z(F.col(measure), votes, at)) for span, measure, at in inputs]
    return F.greatest(F.lit(0.0), F.lit(0.0), *found)


def z(column, votes, at):
    from pyspark.sql import functions as F

    return F.abs(column - float(votes.medians[at])) / float(votes.scales[at])


def forest_score(pipeline):
    """The forest as a vectorised function over Arrow arrays."""
    import pyarrow
    from pyspark.sql.functions import arrow_udf

    votes = pipeline.spark.sparkContext.broadcast(pipeline.event_votes)

    @arrow_udf("float")
    def score(*columns: pyarrow.Array) -> pyarrow.Array:
        import numpy

        rows = numpy.column_stack([column.to_numpy(zero_copy_only=False) for column in columns])
        return pyarrow.array(votes.value.scores(rows), pyarrow.float32())

    return score


FORMULATIONS = {"per_event": (per_event, "append"), "windowed": (windowed, "update")}
