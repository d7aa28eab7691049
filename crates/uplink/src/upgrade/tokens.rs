//! The table of upgrade tokens (Uplink §5.1.1). Another reverse protocol joins as another row.

/// One protocol that an upgrade can ask for.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpgradeToken {
    /// The word in `Upgrade`, and the subprotocol of the WebSocket form.
    pub name: &'static str,
}

/// HTTP/2 without TLS of its own, with the roles reversed.
pub const H2C_REVERSE: UpgradeToken = UpgradeToken { name: "h2c-reverse" };

/// Every token that the cloud's end accepts, best first.
pub const TABLE: &[&UpgradeToken] = &[&H2C_REVERSE];

/// The row whose name is in a comma list, compared without regard to case.
pub fn find_in_list(list: &str) -> Option<&'static UpgradeToken> {
    TABLE.iter().copied().find(|row| list.split(',').any(|word| word.trim().eq_ignore_ascii_case(row.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_in_any_list_and_case() {
        assert_eq!(find_in_list("h2c-reverse"), Some(&H2C_REVERSE));
        assert_eq!(find_in_list("h2c , H2C-Reverse,foo"), Some(&H2C_REVERSE));
        assert_eq!(find_in_list("h2c"), None);
        assert_eq!(find_in_list(""), None);
    }
}
