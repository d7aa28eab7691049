//! The cameras that are wanted against those that run, as steps. No clock, no socket.

use super::entry::CameraEntry;

/// One thing to do so that what runs becomes what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It is not wanted any more: its uplinks are drained, its folder is kept.
    Stop(String),
    /// Nothing runs under this name.
    Start(CameraEntry),
    /// Another address, account or quirk: the uplinks stay up.
    Change(CameraEntry),
}

/// The steps from `running` to `wanted`; what is freed comes first. A name stands for a folder, and so for an identity.
pub(super) fn compare(wanted: &[CameraEntry], running: &[CameraEntry]) -> Vec<Step> {
    let gone = running.iter().filter(|running| !wanted.iter().any(|wanted| wanted.name == running.name));
    let mut steps: Vec<Step> = gone.map(|running| Step::Stop(running.name.clone())).collect();
    for entry in wanted {
        match running.iter().find(|running| running.name == entry.name) {
            None => steps.push(Step::Start(entry.clone())),
            Some(running) if running == entry => {}
            Some(_) => steps.push(Step::Change(entry.clone())),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::super::entry::camera_address;
    use super::*;
    use crate::store::{Account, Role, Secret};

    fn entry(name: &str) -> CameraEntry {
        CameraEntry::new(name, camera_address(&format!("http://{name}.lan/")).unwrap())
    }

    #[test]
    fn start_up_is_the_comparison_with_nothing_running() {
        let wanted = [entry("a"), entry("b")];
        assert_eq!(compare(&wanted, &[]), wanted.clone().map(Step::Start));
        assert_eq!(compare(&wanted, &wanted), []);
        assert_eq!(compare(&[], &wanted), ["a", "b"].map(|name| Step::Stop(name.to_owned())));
    }

    #[test]
    fn each_change_takes_the_smallest_step_and_what_is_freed_comes_first() {
        let running = [entry("gone"), entry("stays"), entry("moves"), entry("password")];
        let moved = CameraEntry { address: camera_address("http://10.0.0.9").unwrap(), ..entry("moves") };
        let account = Account { name: "u".to_owned(), password: Secret::new("p"), level: Role::User };
        let password = CameraEntry { accounts: vec![account], ..entry("password") };
        // The new one has the address of the one that went.
        let new = CameraEntry { address: entry("gone").address, ..entry("new") };
        assert_eq!(
            compare(&[new.clone(), password.clone(), moved.clone(), entry("stays")], &running),
            [Step::Stop("gone".to_owned()), Step::Start(new), Step::Change(password), Step::Change(moved)]
        );
    }
}
