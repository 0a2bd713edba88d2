//! A moment for people to read, and as people write it.

/// Seconds since the Unix epoch as UTC, such as `2023-06-10 15:22:38Z`.
pub(super) fn utc(seconds: u64) -> String {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// The Gregorian date, days after 1970-01-01. Years are counted from March, so that a leap day is a year's last, and
/// from the year 0, since the calendar repeats every 400 years.
fn date(days: u64) -> (u64, u64, u64) {
    let since_0000_03_01 = days + 719_468;
    let (era, day_of_era) = (since_0000_03_01 / 146_097, since_0000_03_01 % 146_097);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A time as a table may have it, in microseconds since the Unix epoch: a number of seconds, milliseconds or
/// microseconds, told apart by their size, or a date and time as RFC 3339 has it.
pub(super) fn parse(text: &str) -> Result<u64, &'static str> {
    const WRONG: &str =
        "a time is seconds, milliseconds or microseconds since the Unix epoch, or as 2023-06-10T13:35:58Z";
    let text = text.trim_ascii();
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_rfc_3339(text).ok_or(WRONG);
    }
    // As seconds the bound is the year 5138, as milliseconds it is 1973.
    match text.parse::<u64>().map_err(|_| WRONG)? {
        seconds @ 0..100_000_000_000 => Ok(seconds * 1_000_000),
        millis @ 100_000_000_000..100_000_000_000_000 => Ok(millis * 1_000),
        micros => Ok(micros),
    }
}

/// RFC 3339, section 5.6; a space may stand for the `T`, and what is finer than microseconds is dropped.
fn parse_rfc_3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse::<u64>().ok()
    };
    let is = |at: usize, any: &[u8]| bytes.get(at).is_some_and(|byte| any.contains(byte));
    if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let mut at = 19;
    let mut micros = 0;
    if is(at, b".") {
        let digits = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let fine = text.get(at + 1..at + 1 + digits.min(6)).filter(|fine| !fine.is_empty())?;
        micros = format!("{fine:0<6}").parse().ok()?;
        at += 1 + digits;
    }
    let offset_s = match bytes.get(at)? {
        b'Z' | b'z' if at + 1 == bytes.len() => 0,
        sign @ (b'+' | b'-') if is(at + 3, b":") && at + 6 == bytes.len() => {
            let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
            let offset_s = i64::try_from(hours * 3_600 + minutes * 60).ok()?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            if *sign == b'+' { offset_s } else { -offset_s }
        }
        _ => return None,
    };
    let days = days(year, month, day)?;
    // A leap second is the first of the next minute.
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local_s = i64::try_from(days * 86_400 + hour * 3_600 + minute * 60 + second).ok()?;
    Some(u64::try_from(local_s - offset_s).ok()? * 1_000_000 + micros)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar that is not before it.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    // As `date` counts: years from March on.
    let (year_from_march, month_from_march) =
        if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let leap_days = year_from_march / 4 - year_from_march / 100 + year_from_march / 400;
    let days = (year_from_march * 365 + leap_days + day_of_year).checked_sub(719_468)?;
    // A day that the month has not is another date.
    (date(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_moments() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_686_404_158, "2023-06-10 13:35:58Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(utc(seconds), expected);
        }
    }

    #[test]
    fn times_of_tables() {
        for (text, expected) in [
            ("1686404158", Some(1_686_404_158_000_000)),
            ("1686404158123", Some(1_686_404_158_123_000)),
            ("1686404158123456", Some(1_686_404_158_123_456)),
            (" 0 ", Some(0)),
            ("2023-06-10T13:35:58Z", Some(1_686_404_158_000_000)),
            ("2023-06-10 15:35:58.5+02:00", Some(1_686_404_158_500_000)),
            ("2023-06-10t08:05:58.1234567-05:30", Some(1_686_404_158_123_456)),
            ("2000-02-29T00:00:00Z", Some(951_782_400_000_000)),
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1969-12-31T23:59:59Z", None),
            ("2023-02-29T00:00:00Z", None),
            ("2023-13-01T00:00:00Z", None),
            ("2023-06-31T00:00:00Z", None),
            ("2023-06-10T24:00:00Z", None),
            ("2023-06-10T13:35:58", None),
            ("2023-06-10", None),
            ("2023-06-10T13:35:58.Z", None),
            ("2023-06-10T13:35:58+2:00", None),
            ("yesterday", None),
            ("é023-06-10T13:35:58Z", None),
            ("-5", None),
            ("", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
        for day in 0..100_000 {
            let (year, month, of_month) = date(day);
            assert_eq!(days(year, month, of_month), Some(day));
        }
    }

    #[test]
    fn every_day_follows_the_one_before_it() {
        let mut before = date(0);
        for days in 1..200_000 {
            let (year, month, day) = date(days);
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let length = |month| match month {
                2 => 28 + u64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            let follows = match before {
                (y, 12, 31) => (y + 1, 1, 1),
                (y, m, d) if d == length(m) => (y, m + 1, 1),
                (y, m, d) => (y, m, d + 1),
            };
            assert_eq!((year, month, day), follows);
            before = follows;
        }
    }
}
