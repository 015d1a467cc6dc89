//! Text in columns, where a character may be two columns wide (UAX #11).

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How wide a screen is that nothing is known of.
pub(super) const SCREEN: usize = 80;

/// Stands for what was cut off.
const CUT: char = '…';

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text, cut to so many columns.
pub(super) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut kept = String::new();
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if wide > left {
            break;
        }
        left = left.saturating_sub(wide);
        kept.push(c);
    }
    if columns > 0 {
        kept.push(CUT);
    }
    kept
}

fn blanks(text: &str, columns: usize) -> String {
    " ".repeat(columns.saturating_sub(width(text)))
}

/// The text at the left of so many columns.
pub(super) fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", blanks(text, columns))
}

/// The text at the right of so many columns.
pub(super) fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", blanks(text, columns))
}

/// Pieces in lines of at most `columns`, each piece whole; the first line begins with `label`, all
/// others are indented as far.
pub(super) fn wrapped(label: &str, pieces: &[String], between: &str, columns: usize) -> String {
    let indent = width(label);
    let mut lines = vec![label.to_owned()];
    let mut used = indent;
    for (at, piece) in pieces.iter().enumerate() {
        let last = at.saturating_add(1) == pieces.len();
        let piece = if last { piece.clone() } else { format!("{piece}{between}") };
        let wide = width(piece.trim_end());
        if used > indent && used.saturating_add(wide) > columns {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        if let Some(line) = lines.last_mut() {
            line.push_str(&piece);
        }
        used = used.saturating_add(width(&piece));
    }
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(left("确诊", 6), "确诊  ");
        assert_eq!(right("é", 3), "  é");
        assert_eq!(fit("按报告日期的确诊病例", 9), "按报告日…");
        assert_eq!(width(&fit("按报告日期的确诊病例", 8)), 7, "half a character is none");
        assert_eq!(fit("cases", 5), "cases");
        assert_eq!(fit("cases", 4), "cas…");
        assert_eq!(fit("cases", 0), "");
    }

    #[test]
    fn pieces_are_never_broken() {
        let pieces = ["03/017 Bergamo", "05", "a-rather-long-name"].map(str::to_owned);
        let lines = "late  03/017 Bergamo,\n      05,\n      a-rather-long-name";
        assert_eq!(wrapped("late  ", &pieces, ", ", 24), lines);
        assert_eq!(wrapped("late  ", &[], ", ", 24), "late");
    }
}
