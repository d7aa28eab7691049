//! Tables that are read in a terminal and rendered as Markdown alike.

/// Rows of cells, the first one the heads; the first column is text, the others are figures.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        text += "|";
        for (column, width) in widths.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            let space = " ".repeat(width - cell.chars().count());
            text += &if column == 0 { format!(" {cell}{space} |") } else { format!(" {space}{cell} |") };
        }
        text += "\n";
        if number == 0 {
            let line = |(column, width): (usize, &usize)| {
                if column == 0 { format!("{}|", "-".repeat(width + 2)) } else { format!("{}:|", "-".repeat(width + 1)) }
            };
            text += &format!("|{}\n", widths.iter().enumerate().map(line).collect::<String>());
        }
    }
    text
}

/// A figure with as many digits as mean something.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        v if v >= 1000.0 => grouped(value.round() as i64),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(value: i64) -> String {
    let digits = value.abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_cells_line_up() {
        assert_eq!([0.126, 12.34, 123.4, 1_234_567.8].map(figure), ["0.13", "12.3", "123", "1,234,568"]);
        let rows = [vec!["a".to_owned(), "µs".to_owned()], vec!["long name".to_owned(), "1".to_owned()]];
        assert_eq!(table(&rows), "| a         |  µs |\n|-----------|----:|\n| long name |   1 |\n");
    }
}
