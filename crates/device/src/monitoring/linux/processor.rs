//! How busy the processors are, by `/proc/stat` (proc_stat(5)).

use super::Root;
use crate::monitoring::reading::Ticks;

pub(super) fn read(root: &Root) -> Option<Ticks> {
    // The line of all processors is the first.
    parse(&root.head("proc/stat", 512)?)
}

/// The line of all processors: user, nice, system, idle, iowait, irq, softirq, steal, and then what is in user and nice already.
fn parse(text: &str) -> Option<Ticks> {
    let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let fields = line.split_ascii_whitespace().take(8).map(str::parse::<u64>).collect::<Result<Vec<_>, _>>().ok()?;
    let (&[idle], waiting) = (fields.get(3..4)?, fields.get(4).copied().unwrap_or(0)) else { return None };
    let total = fields.iter().fold(0_u64, |sum, field| sum.saturating_add(*field));
    Some(Ticks { busy: total.saturating_sub(idle).saturating_sub(waiting), total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_all_but_idle_and_waiting() {
        let text = "cpu  100 10 50 800 30 4 5 1 7 7\ncpu0 1 1 1 1\nintr 5\n";
        assert_eq!(parse(text), Some(Ticks { busy: 170, total: 1000 }));
    }

    #[test]
    fn what_cannot_be_read_is_no_processor() {
        for text in ["", "cpu", "cpu  1 2 3", "cpu  a b c d", "cpu0 1 2 3 4 5 6 7", "cpu  -1 2 3 4"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        // Kernels before 2.6 had four fields.
        assert_eq!(parse("cpu  1 2 3 4"), Some(Ticks { busy: 6, total: 10 }));
        let most = format!("cpu  {0} {0} {0} {0}", u64::MAX);
        assert_eq!(parse(&most), Some(Ticks { busy: 0, total: u64::MAX }));
    }
}
