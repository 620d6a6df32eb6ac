//! Runs graphs with tract. This is the one place that knows of it; without the feature, every graph is refused.

#[cfg(feature = "onnx-graphs")]
pub(super) use with_tract::Runner;
#[cfg(not(feature = "onnx-graphs"))]
pub(super) use without::Runner;

#[cfg(feature = "onnx-graphs")]
mod with_tract {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tract_onnx::prelude::*;

    /// A graph ready to run on one row.
    #[derive(Debug)]
    pub(crate) struct Runner {
        plan: Arc<TypedRunnableModel>,
        width: usize,
    }

    impl Runner {
        pub(crate) fn new(model: &[u8], width: usize) -> Result<Self, String> {
            let make = || -> TractResult<Arc<TypedRunnableModel>> {
                let model = tract_onnx::onnx().model_for_read(&mut &*model)?;
                model.with_input_fact(0, f32::fact([1, width]).into())?.into_optimized()?.into_runnable()
            };
            Ok(Self { plan: guarded("prepare the graph", make)?, width })
        }

        /// The last number of the output.
        pub(crate) fn run(&self, row: &[f32]) -> Result<f32, String> {
            let run = || -> TractResult<Option<f32>> {
                let outputs = self.plan.run(tvec!(Tensor::from_shape(&[1, self.width], row)?.into()))?;
                let Some(scores) = outputs.first() else { return Ok(None) };
                Ok(scores.cast_to::<f32>()?.to_plain_array_view::<f32>()?.iter().last().copied())
            };
            guarded("run the graph", run)?.ok_or_else(|| "run the graph: it gives nothing".to_owned())
        }
    }

    /// The library may panic on graphs that it does not expect; that is the graph's fault, and no reason to die.
    fn guarded<T>(act: &str, work: impl FnOnce() -> TractResult<T>) -> Result<T, String> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(done) => done.map_err(|error| format!("{act}: {error:#}")),
            Err(_) => Err(format!("{act}: it panicked; the graph is not supported")),
        }
    }
}

#[cfg(not(feature = "onnx-graphs"))]
mod without {
    /// Nothing can be run.
    #[derive(Debug)]
    pub(crate) enum Runner {}

    impl Runner {
        pub(crate) fn new(_model: &[u8], _width: usize) -> Result<Self, String> {
            Err("it is no tree ensemble; other graphs need a Lapwing built with the feature `onnx-graphs`".to_owned())
        }

        pub(crate) fn run(&self, _row: &[f32]) -> Result<f32, String> {
            match *self {}
        }
    }
}
