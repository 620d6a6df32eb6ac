//! Snapshots on HDFS. Any cluster does; Hadoop's own small one is started, from the jars of `hadoop-client-minicluster`, by
//! `java -cp 'jars/*' org.apache.hadoop.mapreduce.MiniHadoopClusterManager -nomr -format -nnport 19820 -datanodes 1`.
//!
//! `LAPWING_HDFS=hdfs://127.0.0.1:19820/tests cargo test -p lapwing-connect --features real-hdfs --test hdfs`

use std::collections::BTreeMap;

use lapwing_connect::object_store::ObjectPlace;

mod place_suite;

#[test]
fn hdfs_does_what_every_place_must() {
    #[expect(clippy::disallowed_methods, reason = "the one setting of this test")]
    let url = std::env::var("LAPWING_HDFS").expect(
        "LAPWING_HDFS is not set: set it to a folder for tests, for example LAPWING_HDFS=hdfs://127.0.0.1:19820/tests",
    );
    place_suite::run(|name| ObjectPlace::open(&format!("{url}/{name}"), &BTreeMap::new()).unwrap());
}
