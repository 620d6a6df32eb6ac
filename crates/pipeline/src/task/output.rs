//! What a task puts out.

use std::sync::Arc;

use lapwing_vocabulary::{DeadLetter, OutputRecord, Records};

use super::{Product, ScoredBatch, Task};
use crate::render::{self, JsonFields};
use crate::status::Status;

impl Task {
    pub(super) fn set_aside(
        &self,
        letter: &DeadLetter,
        records: &Records,
        index: u32,
        status: &Status,
        now: i64,
        product: &mut Product,
    ) {
        status.count_dead(letter.reason);
        let topic = &self.plan.topics.dead_letters;
        product.outputs.push(render::dead_letter_record(letter, records, index as usize, topic, now));
    }

    /// `records` is `None` where rows do not come from records.
    pub(super) fn render(&self, records: Option<&Records>, batch: ScoredBatch, now: i64, product: &mut Product) {
        if let Some(topic) = &self.plan.topics.enriched {
            self.render_enriched(records, &batch, topic, now, product);
        }
        for finding in batch.findings {
            product.outputs.push(render::alert_record(&finding.alert, &self.plan.topics.alerts, now));
            product.alerts.push((finding.alert, batch.events.arrived[finding.row as usize]));
        }
    }

    fn render_enriched(
        &self,
        records: Option<&Records>,
        batch: &ScoredBatch,
        topic: &Arc<str>,
        now: i64,
        product: &mut Product,
    ) {
        let columns = JsonFields::new(&batch.events.rows, &self.plan.rendered_columns);
        product.outputs.reserve(batch.events.len());
        for row in 0..batch.events.len() {
            let window = batch.windows.as_ref().map(|windows| &windows[row]);
            if window.is_some_and(|window| window.is_before) {
                continue;
            }
            let write = |into: &mut Vec<u8>| {
                columns.write(row, into);
                window.into_iter().for_each(|window| render::write_window(window, into));
                if let (Some(scored), true) = (&batch.scored, self.plan.settings.outputs.scores) {
                    render::write_score(1.0 - scored.scores.tail[row], scored.scores.flagged[row], into);
                }
            };
            let records = batch.released.as_ref().or(records);
            let index = batch.records.get(row).map(|index| *index as usize);
            let (value, position) = match (records, index) {
                (Some(records), Some(index)) if self.plan.splices_original => {
                    (render::splice(records.value(index), write), records.position(index))
                }
                _ => (render::object(write), batch.events.position(row)),
            };
            product.outputs.push(OutputRecord {
                topic: topic.clone(),
                partition: None,
                key: Some(batch.entities.value(row).as_bytes().to_vec()),
                value,
                headers: vec![render::source_header(&position)],
                timestamp: now,
            });
        }
    }
}
