//! What is wanted against what runs, as steps. No clock, no socket.

use crate::store::UplinkEntry;

/// One thing to do so that what runs becomes what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing runs for this entry: dial.
    Start(UplinkEntry),
    /// The entry is gone: let the requests that run on it finish, then close.
    Drain(UplinkEntry),
    /// The entry changed in a way that the tunnel feels: dial anew, and drain the old tunnel.
    Replace(UplinkEntry),
    /// Only the rights changed: the tunnel stays, and its next request has the new ones.
    SetRights(UplinkEntry),
}

/// The steps from `running` to `wanted`; what is freed comes first.
pub(super) fn compare(wanted: &[UplinkEntry], running: &[&UplinkEntry]) -> Vec<Step> {
    let gone = running.iter().filter(|entry| !wanted.iter().any(|wanted| wanted.is_at(&entry.remote_address)));
    let mut steps: Vec<Step> = gone.map(|entry| Step::Drain((*entry).clone())).collect();
    for entry in wanted {
        match running.iter().find(|running| running.is_at(&entry.remote_address)) {
            None => steps.push(Step::Start(entry.clone())),
            Some(running) if *running == entry => {}
            Some(running) if same_tunnel(running, entry) => steps.push(Step::SetRights(entry.clone())),
            Some(_) => steps.push(Step::Replace(entry.clone())),
        }
    }
    steps
}

/// Whether the entries differ in nothing but rights.
fn same_tunnel(one: &UplinkEntry, other: &UplinkEntry) -> bool {
    *one == UplinkEntry { user_level: one.user_level.clone(), ..other.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str) -> UplinkEntry {
        UplinkEntry {
            remote_address: address.to_owned(),
            certificate_id: Some("device".to_owned()),
            user_level: vec!["User".to_owned()],
            cert_path_validation_policy_id: None,
            by_uplink: false,
        }
    }

    fn steps(wanted: &[UplinkEntry], running: &[UplinkEntry]) -> Vec<Step> {
        compare(wanted, &running.iter().collect::<Vec<_>>())
    }

    #[test]
    fn start_up_is_the_comparison_with_nothing_running() {
        let wanted = [entry("https://a"), entry("wss://b")];
        assert_eq!(steps(&wanted, &[]), wanted.clone().map(Step::Start));
        assert_eq!(steps(&wanted, &wanted), []);
        assert_eq!(steps(&[], &wanted), wanted.map(Step::Drain));
    }

    #[test]
    fn each_change_takes_the_smallest_step() {
        let running = [entry("https://a"), entry("https://b"), entry("https://c"), entry("https://d")];
        let policy = UplinkEntry { cert_path_validation_policy_id: Some("strict".to_owned()), ..entry("https://b") };
        let rights = UplinkEntry { user_level: vec!["Operator".to_owned()], ..entry("https://c") };
        let by_uplink = UplinkEntry { by_uplink: true, ..entry("https://d") };
        let wanted = [by_uplink.clone(), rights.clone(), policy.clone(), entry("https://e")];
        assert_eq!(
            steps(&wanted, &running),
            [
                Step::Drain(entry("https://a")),
                Step::Replace(by_uplink),
                Step::SetRights(rights),
                Step::Replace(policy),
                Step::Start(entry("https://e")),
            ]
        );
    }

    #[test]
    fn the_same_place_written_differently_is_one_uplink() {
        let running = [entry("https://Cloud.example")];
        assert_eq!(steps(&[entry("https://cloud.example:443/")], &running).len(), 1);
        assert!(matches!(&steps(&[entry("https://cloud.example:443/")], &running)[0], Step::Replace(_)));
        assert_eq!(steps(&[entry("https://cloud.example/x")], &running).len(), 2);
    }
}
