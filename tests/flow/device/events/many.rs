//! As many pull points as are told, at once, each with a filter of its own.

use super::*;
use futures_util::future::join_all;
use oriel_onvif::notification::FaultKind;

const EACH: usize = 1500;
const SENSORS: usize = 8;

/// The filter of the pull point with this index, and which events it lets through.
fn filter(index: usize) -> (String, Box<dyn Fn(usize) -> bool>) {
    let sensor = index % SENSORS;
    let item = |name: &str, value: String| format!("boolean(//tt:SimpleItem[@Name=\"{name}\" and @Value=\"{value}\"])");
    let this = item("SensorID", format!("s{sensor}"));
    match index / SENSORS {
        0 => (of_topics("tns1:Device/Sensor//."), Box::new(|_| true)),
        1 => (of_topics("tns1:Device//."), Box::new(|_| true)),
        // A filter on contents alone lets through what has the item.
        2 => (of_contents(&this), Box::new(move |event| event % SENSORS == sensor)),
        3 => (
            of_topics("tns1:Device/Sensor//.") + &of_contents(&format!("not({this})")),
            Box::new(move |event| event % SENSORS != sensor),
        ),
        4 => {
            let other = item("SensorID", format!("s{}", (sensor + 1) % SENSORS));
            let either = move |event: usize| event % SENSORS == sensor || event % SENSORS == (sensor + 1) % SENSORS;
            (of_contents(&format!("{this} or {other}")), Box::new(either))
        }
        5 => (
            of_topics("tns1:Device/Sensor/Temperature/High") + &of_contents(&this),
            Box::new(move |event| event % SENSORS == sensor),
        ),
        6 => (of_topics("tns1:VideoSource//."), Box::new(|_| false)),
        _ => (of_topics("tns1:VideoSource//.|tns1:Device/Sensor//."), Box::new(|_| true)),
    }
}

#[tokio::test]
async fn sixty_four_pull_points_lose_nothing_keep_the_order_and_filter_right() {
    let camera = Camera::with_events().await;
    let mut points = Vec::new();
    for index in 0..64 {
        points.push(camera.create("operator", &filtered(&filter(index).0)).await.unwrap());
    }
    let refused = camera.create("operator", &create(60)).await.map(drop).unwrap_err();
    assert_eq!(FaultKind::of(&refused), Some(FaultKind::SubscribeCreationFailed));

    let camera = &camera;
    let pulled = join_all(points.iter().enumerate().map(|(index, point)| async move {
        let wants = filter(index).1;
        let expected: Vec<usize> = (0..EACH).filter(|event| wants(*event)).collect();
        let mut heard = Vec::new();
        while heard.len() < expected.len() {
            let some = camera.pull(point, 20, 100).await.unwrap();
            assert!(!some.notification_message.is_empty(), "{index}: {} of {}", heard.len(), expected.len());
            heard.extend(
                messages(&some).iter().map(|message| message.value("Value").unwrap().parse::<usize>().unwrap()),
            );
        }
        assert_eq!(heard, expected, "{index}");
        assert!(camera.pull(point, 0, 100).await.unwrap().notification_message.is_empty(), "{index}: and no more");
    }));
    let telling = async {
        for event in 0..EACH {
            camera.hot(&format!("s{}", event % SENSORS), event);
            if event % 20 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    };
    tokio::join!(pulled, telling);
}
