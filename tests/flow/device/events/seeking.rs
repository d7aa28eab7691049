//! Seek: back to what was told, also before a restart (Core §9.1.5, §9.1.7, §9.11.1).

use super::*;
use oriel_onvif::events::{Seek, SetSynchronizationPoint};

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn seek(time: &str, reverse: Option<bool>) -> Seek {
    Seek::with(|seek| (seek.utc_time, seek.reverse) = (at(time), reverse))
}

impl Camera {
    /// Something that happened in this minute.
    fn hot_at(&self, minute: usize) {
        let hot = Occurrence::of(topics::find(HOT).unwrap()).source("SensorID", "s");
        let hot = hot.data("Value", minute.to_string()).data("Threshold", "1");
        self.device.events().tell(hot.at(at(&format!("2026-01-01T00:{minute:02}:00Z")))).unwrap();
    }

    /// All that comes until an answer is empty: minutes, and `begin`.
    async fn rest(&self, point: &Point) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let some = self.pull(point, 0, 7).await.unwrap();
            if some.notification_message.is_empty() {
                return all;
            }
            let begins = some
                .notification_message
                .iter()
                .map(|holder| holder.topic.as_ref().unwrap().topic.to_string() == "tns1:EventBuffer/Begin");
            let told = messages(&some).into_iter().zip(begins);
            all.extend(told.map(|(message, begin)| match begin {
                true => "begin".to_owned(),
                false => message.value("Value").unwrap().to_owned(),
            }));
        }
    }
}

fn minutes(minutes: impl Iterator<Item = usize>) -> Vec<String> {
    minutes.map(|minute| minute.to_string()).collect()
}

#[tokio::test]
async fn forwards_and_backwards_by_time_with_the_beginning_told_once() {
    let camera = Camera::with_events().await;
    // Out of order, as a clock that was set leaves them.
    [3, 1, 2, 0, 9, 5, 4, 8, 6, 7].into_iter().for_each(|minute| camera.hot_at(minute));
    let point = camera.create("user", &create(60)).await.unwrap();
    camera.hot_at(10);
    camera.at(point.path(), "user", &seek("2026-01-01T00:04:00Z", None)).await.unwrap();
    assert_eq!(camera.rest(&point).await, minutes(4..=10), "what waited is dropped, and comes in its place");
    camera.hot_at(11);
    assert_eq!(camera.rest(&point).await, ["11"], "and it goes on with what happens");
    camera.at(point.path(), "user", &seek("2026-01-01T00:04:00Z", Some(true))).await.unwrap();
    let mut back = minutes((0..=4).rev());
    back.push("begin".to_owned());
    assert_eq!(camera.rest(&point).await, back);
    camera.hot_at(12);
    assert_eq!(camera.rest(&point).await, [""; 0], "backwards nothing new is met, and the beginning is told once");
    camera.at(point.path(), "user", &seek("2020-01-01T00:00:00Z", Some(false))).await.unwrap();
    let mut all = vec!["begin".to_owned()];
    all.extend(minutes(0..=12));
    assert_eq!(camera.rest(&point).await, all);
}

#[tokio::test]
async fn whoever_seeks_hears_no_states_and_its_filter_holds() {
    let camera = Camera::with_events().await;
    camera.motion("gate", true);
    camera.hot_at(1);
    let point = camera.create("user", &filtered(&of_topics("tns1:Device//."))).await.unwrap();
    camera.at(point.path(), "user", &seek("2026-01-01T00:01:00Z", None)).await.unwrap();
    camera.at(point.path(), "user", &SetSynchronizationPoint::default()).await.unwrap();
    assert_eq!(camera.rest(&point).await, ["1"]);
}

#[tokio::test]
async fn a_pull_that_waits_is_given_what_is_sought() {
    let camera = Camera::with_events().await;
    camera.hot_at(1);
    camera.hot_at(2);
    let point = camera.create("user", &create(60)).await.unwrap();
    let (told, ()) = tokio::join!(camera.pull(&point, 60, 10), async {
        super::dying::waits(&camera, &point).await;
        camera.at(point.path(), "user", &seek("2026-01-01T00:02:00Z", None)).await.unwrap();
    });
    assert_eq!(messages(&told.unwrap())[0].value("Value"), Some("2"));
}

#[tokio::test]
async fn what_was_told_before_a_restart_is_found() {
    let camera = Camera::with_events().await;
    (0..30).for_each(|minute| camera.hot_at(minute));
    let Camera { device, folder } = camera;
    device.stop().await;
    let again = Camera { device: Device::start(config(&folder, quiet)).await.unwrap(), folder };
    let point = again.create("user", &create(60)).await.unwrap();
    again.at(point.path(), "user", &seek("2026-01-01T00:20:00Z", None)).await.unwrap();
    assert_eq!(again.rest(&point).await, minutes(20..30));
    again.hot_at(30);
    assert_eq!(again.rest(&point).await, ["30"]);
}
