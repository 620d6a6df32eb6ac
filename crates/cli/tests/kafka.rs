//! x
#[test]
fn a() {
    let _ = env!("CARGO_BIN_EXE_lapwing");
}
