//! Who is at a camera's address: another camera there is not taken for the one that was, until whoever writes the list says so.

use http::StatusCode;

use super::life::{PASSWORD, Site, any, camera, entry, status};

#[tokio::test]
async fn another_camera_at_the_address_gets_nothing_until_the_list_says_that_it_takes_the_place() {
    let site = Site::closed();
    let former = camera(site.path(), "former", PASSWORD, any()).await;
    let address = former.addresses()[0];
    let listed = entry("gate", address, PASSWORD);
    let site = site.open(&listed).await;
    let kept = || std::fs::read_to_string(site.path().join("data/cameras/gate/camera.json")).unwrap_or_default();
    site.answers("gate").await;
    site.until("gate", "its number is kept", |_| kept().contains("serial")).await;
    let memory = kept();
    assert_eq!(site.model("gate", PASSWORD).await.unwrap(), "Model former");

    former.stop().await;
    site.model("gate", PASSWORD).await.unwrap_err();
    let _newcomer = camera(site.path(), "newcomer", PASSWORD, address).await;
    site.until("gate", "that it is another one", |state| {
        state.and_then(|state| state.problem.as_deref()).is_some_and(|problem| problem.contains("another camera"))
    })
    .await;
    let refused = site.model("gate", PASSWORD).await.unwrap_err();
    assert_eq!(status(&refused), Some(StatusCode::SERVICE_UNAVAILABLE), "{refused}");
    assert!(refused.to_string().contains("another camera"), "{refused}");
    assert_eq!(kept(), memory, "who it was is not forgotten");

    let endpoint = "endpoint = \"urn:uuid:5f5a69c2-e0ae-504f-829b-00000a7b0009\"\n[[camera.account]]";
    site.list(&listed.replace("[[camera.account]]", endpoint));
    site.until("gate", "that all is well", |state| state.is_some_and(|state| state.problem.is_none())).await;
    assert_eq!(site.model("gate", PASSWORD).await.unwrap(), "Model newcomer");
}
