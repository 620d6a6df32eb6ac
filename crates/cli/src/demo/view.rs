use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;

use lapwing_pipeline::status::get;
use lapwing_server::Watch;

use super::tally::Counts;
use crate::run::Running;

/// Alerts shown at once.
const ALERTS_SHOWN: usize = 8;

/// The view on a terminal: a few lines drawn over and over. Without a terminal each drawing is one line.
pub(super) struct View {
    silent: bool,
    terminal: bool,
}

impl View {
    pub(super) fn new(silent: bool) -> Self {
        Self { silent, terminal: std::io::stdout().is_terminal() }
    }

    /// A line that stays. In silent mode it goes to the log.
    pub(super) fn say(&self, text: &str) {
        match self.silent {
            true => tracing::info!("{text}"),
            false => crate::print_line(text),
        }
    }

    /// Draws the present state.
    pub(super) fn draw(&self, running: &Running, counts: &Counts, page: SocketAddr) {
        if self.silent {
            return;
        }
        match self.terminal {
            true => show(&format!("\x1b[H\x1b[2J{}\n(Ctrl-C ends the demo)\n", text(running, counts, page))),
            false => crate::print_line(&line(running, counts)),
        }
    }

    /// Draws the last state, to stay.
    pub(super) fn finish(&self, running: &Running, counts: &Counts, page: SocketAddr) {
        if !self.silent {
            let clear = if self.terminal { "\x1b[H\x1b[2J" } else { "" };
            show(&format!("{clear}{}", text(running, counts, page)));
        }
    }
}

fn show(text: &str) {
    let mut out = std::io::stdout();
    // A terminal that went away is no failure of the pipeline.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn line(running: &Running, counts: &Counts) -> String {
    let overview = running.window.overview();
    let quality = counts.quality();
    format!(
        "{:.0} events/s, backlog {}, {} alerts, precision {:.3}, recall {:.3}",
        overview.events_per_second, overview.backlog_records, overview.alerts_total, quality.precision, quality.recall,
    )
}

fn text(running: &Running, counts: &Counts, page: SocketAddr) -> String {
    let overview = running.window.overview();
    let quality = counts.quality();
    let (anomalous, found) = counts.anomalous();
    let (normal, false_alarms) = counts.normal();
    let unit = counts.unit();
    let latency = overview
        .latency_ms
        .map_or("none yet".to_owned(), |latency| format!("p50 {:.0} ms, p99 {:.0} ms", latency.p50, latency.p99));
    let mut text = format!(
        "Lapwing demo    model {}    page http://{page}\n\n\
         events      {:>9.0} /s    {} so far, {} waiting\n\
         alerts      {:>9}       event to alert: {latency}\n\
         precision   {:>9.3}       {found} of {} flagged {unit} are injected anomalies\n\
         recall      {:>9.3}       of {anomalous} anomalous {unit} among {normal} normal ones\n\
         false alarm {:>9.5}       {false_alarms} normal {unit} flagged\n\
         late {}, set aside {}\n\n\
         newest alerts\n",
        overview.model.as_deref().unwrap_or("none"),
        overview.events_per_second,
        get(&running.window.status().processed),
        overview.backlog_records,
        overview.alerts_total,
        quality.precision,
        found + false_alarms,
        quality.recall,
        quality.false_positive_rate,
        get(&running.window.status().late),
        overview.dead_letters_total,
    );
    for raised in running.window.alerts(ALERTS_SHOWN) {
        let _ = writeln!(
            text,
            "  {}  {:<8}  {}",
            &raised.alert.event_time.get(11..19).unwrap_or_default(),
            raised.alert.severity.name(),
            raised.alert.summary,
        );
    }
    text
}
