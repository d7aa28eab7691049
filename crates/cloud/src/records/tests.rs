use super::*;

async fn records(folder: &Path) -> Records {
    Records::open(folder, None, Clock::default()).await.unwrap()
}
