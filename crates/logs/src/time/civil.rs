//! Days, months and clocks of the proleptic Gregorian calendar.

use lapwing_vocabulary::time::{DAY, HOUR, MINUTE, SECOND};

use super::Fault;

/// A day of the calendar.
#[derive(Clone, Copy, Debug)]
pub(super) struct Date {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
}

/// A time of the day. Units of `micros`: microseconds of the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    pub(super) micros: i64,
}

impl Date {
    /// Days from 1970-01-01. Errors: month or day out of range.
    /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`.
    pub(super) fn days(self) -> Result<i64, Fault> {
        let Self { year, month, day } = self;
        within("month", month, 1, 12)?;
        within("day", day, 1, month_days(year, month))?;
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Ok(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
    }
}

impl Clock {
    /// Microseconds from midnight. A leap second (`23:59:60`, or the last of another hour in another zone) counts as the
    /// first of the next minute. Errors: a part out of range.
    pub(super) fn micros(self) -> Result<i64, Fault> {
        within("hour", self.hour, 0, 23)?;
        within("minute", self.minute, 0, 59)?;
        within("second", self.second, 0, if self.minute == 59 { 60 } else { 59 })?;
        Ok(self.hour * HOUR + self.minute * MINUTE + self.second * SECOND + self.micros)
    }
}

/// The year in which a moment lies. Units: microseconds since the epoch.
/// Source: as for [`Date::days`], `civil_from_days`.
pub(super) fn year_of(micros: i64) -> i64 {
    let days = micros.div_euclid(DAY) + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years begin in March here; January and February belong to the next one.
    year_of_era + era * 400 + i64::from(day_of_year >= 306)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

pub(super) fn within(part: &'static str, value: i64, from: i64, to: i64) -> Result<(), Fault> {
    if (from..=to).contains(&value) { Ok(()) } else { Err(Fault::Range { part, value, from, to }) }
}
