//! The chores of the project.

mod spec;

fn main() -> anyhow::Result<()> {
    let update = std::env::args().any(|argument| argument == "--update");
    spec::run(update)
}
