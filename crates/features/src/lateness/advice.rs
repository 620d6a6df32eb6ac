use lapwing_vocabulary::time::{DAY, format_duration};
use std::fmt;

use super::{BOUNDS, Lateness, Spread};

/// Shares of events that a suggested watermark may lose. Units: parts of a million.
const TARGETS: [u32; 3] = [1_000, 100, 0];

/// Values that given shares of all values do not exceed. Units: microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantiles {
    /// Half of them.
    pub p50: i64,
    /// 90 %.
    pub p90: i64,
    /// 99 %.
    pub p99: i64,
    /// 99.9 %.
    pub p999: i64,
    /// All; exact.
    pub max: i64,
}

/// A watermark, and what it would have lost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Suggestion {
    /// The lateness to allow. Units: microseconds.
    pub watermark_micros: i64,
    /// Share of the events that would have been late; exact. Units: none, 0 to 1.
    pub late_share: f64,
}

/// What the lateness seen so far says of the watermark. Its text is for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// Number of events it rests on.
    pub events: u64,
    /// The watermark in force. Units: microseconds.
    pub watermark_micros: i64,
    /// Share of the events that are late by it. Units: none, 0 to 1.
    pub late_share_now: f64,
    /// Whether that share is exact. If not, it is at most that.
    pub late_share_exact: bool,
    /// Disorder of the events.
    pub disorder: Quantiles,
    /// Their delay.
    pub delay: Quantiles,
    /// The shortest watermarks that would lose at most 0.1 %, at most 0.01 %, and none of the events seen; each
    /// watermark once, so there may be fewer.
    pub suggestions: Vec<Suggestion>,
}

/// Says what the lateness seen so far means for the watermark.
pub fn advise(lateness: &Lateness, watermark_micros: i64) -> Advice {
    let disorder = lateness.disorder();
    let watermark_micros = watermark_micros.max(0);
    let (late, late_share_exact) = disorder.above(watermark_micros);
    let mut suggestions: Vec<Suggestion> = Vec::new();
    if lateness.events() > 0 {
        for target in TARGETS {
            let suggestion = suggest(disorder, target);
            if suggestions.last() != Some(&suggestion) {
                suggestions.push(suggestion);
            }
        }
    }
    Advice {
        events: lateness.events(),
        watermark_micros,
        late_share_now: share(late, lateness.events()),
        late_share_exact,
        disorder: quantiles(disorder),
        delay: quantiles(lateness.delay()),
        suggestions,
    }
}

/// The shortest of the lengths that people write which loses at most `target` parts of a million.
fn suggest(disorder: &Spread, target: u32) -> Suggestion {
    let allowed = u128::from(disorder.total()) * u128::from(target) / 1_000_000;
    let lengths = std::iter::once(0).chain(BOUNDS);
    let enough = |length: &i64| *length != i64::MAX && u128::from(disorder.above(*length).0) <= allowed;
    let watermark_micros = lengths.into_iter().find(enough).unwrap_or_else(|| {
        let days = (disorder.max_micros() - 1) / DAY + 1;
        days.saturating_mul(DAY)
    });
    Suggestion { watermark_micros, late_share: share(disorder.above(watermark_micros).0, disorder.total()) }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn quantiles(spread: &Spread) -> Quantiles {
    let [p50, p90, p99, p999] = [500_000, 900_000, 990_000, 999_000].map(|parts| spread.quantile(parts));
    Quantiles { p50, p90, p99, p999, max: spread.max_micros() }
}

impl Quantiles {
    /// Below a second by the millisecond, above by the second: the rest is noise.
    fn written(micros: i64) -> String {
        let unit = if micros < 1_000_000 { 1_000 } else { 1_000_000 };
        match micros {
            0 => "0s".into(),
            micros => format_duration(((micros - 1) / unit + 1).saturating_mul(unit)),
        }
    }
}

impl fmt::Display for Quantiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p90, p99, p999, max] = [self.p50, self.p90, self.p99, self.p999, self.max].map(Quantiles::written);
        write!(f, "p50 {p50}, p90 {p90}, p99 {p99}, p99.9 {p999}, longest {max}")
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.events == 0 {
            return f.write_str("no events seen yet, so there is nothing to choose a watermark by");
        }
        let now = setting(self.watermark_micros);
        write!(f, "p99.9 of disorder is {} over {} events", Quantiles::written(self.disorder.p999), self.events)?;
        if self.late_share_now == 0.0 {
            write!(f, "; with {now} none of those seen is late")?;
        } else {
            let at_most = if self.late_share_exact { "" } else { "up to " };
            write!(f, "; with {now} {at_most}{} of events would be late", percent(self.late_share_now))?;
        }
        for suggestion in self.worth_saying() {
            let text = setting(suggestion.watermark_micros);
            match suggestion.late_share {
                0.0 => write!(f, "; {text} loses none of those seen")?,
                share => write!(f, "; {text} loses {}", percent(share))?,
            }
        }
        Ok(())
    }
}

impl Advice {
    /// Suggestions that differ from what is in force. Where nothing is late, only the one that loses nothing either.
    fn worth_saying(&self) -> impl Iterator<Item = &Suggestion> {
        let only_none = self.late_share_now == 0.0;
        let differs = |suggestion: &&Suggestion| suggestion.watermark_micros != self.watermark_micros;
        self.suggestions.iter().filter(differs).filter(move |it| !only_none || it.late_share == 0.0)
    }
}

/// As it stands in the pipeline file.
fn setting(watermark_micros: i64) -> String {
    let length = if watermark_micros == 0 { "0s".into() } else { format_duration(watermark_micros) };
    format!("watermark = \"{length}\"")
}

/// A share with two digits that mean something, in percent.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent >= 10.0 {
        return format!("{percent:.0} %");
    }
    let (mut digits, mut scaled) = (1, percent);
    while scaled < 1.0 && digits < 8 {
        (digits, scaled) = (digits + 1, scaled * 10.0);
    }
    let text = format!("{percent:.digits$}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_written_with_two_digits() {
        let written = [0.5, 0.008, 0.0123, 0.1, 0.000_1, 0.000_012_34, 1.0].map(percent);
        assert_eq!(written, ["50 %", "0.8 %", "1.2 %", "10 %", "0.01 %", "0.0012 %", "100 %"]);
    }
}
