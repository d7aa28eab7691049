//! The camera of the crate `onvif-server` (HTTP, WS-UsernameToken, Media, PTZ, Imaging, Events) until standard input ends.

use std::sync::Arc;

use async_trait::async_trait;
use onvif_server::generated::DeviceInfo;
use onvif_server::{
    DeviceService, EventService, ImagingService, ImagingSettings, MediaService, OnvifError, OnvifServer, PTZService,
    PTZStatusResult,
};
use tokio::io::AsyncReadExt as _;

#[derive(Clone)]
struct Camera {
    base: Arc<String>,
}

#[async_trait]
impl DeviceService for Camera {
    async fn get_device_information(&self) -> Result<DeviceInfo, OnvifError> {
        Ok(DeviceInfo {
            manufacturer: "Another Maker".into(),
            model: "Pan and Tilt".into(),
            firmware_version: "1.0".into(),
            serial_number: "4711".into(),
            hardware_id: "rev 1".into(),
        })
    }
}

#[async_trait]
impl MediaService for Camera {
    async fn get_stream_uri(&self, _profile: &str) -> Result<String, OnvifError> {
        Ok("rtsp://127.0.0.1:8554/stream".into())
    }

    async fn get_snapshot_uri(&self, _profile: &str) -> Result<String, OnvifError> {
        Ok(format!("{}/snapshot.jpg", self.base))
    }
}

#[async_trait]
impl PTZService for Camera {
    async fn continuous_move(&self, profile: &str, pan: f32, tilt: f32, zoom: f32) -> Result<(), OnvifError> {
        println!(r#"{{"event":"moved","profile":"{profile}","pan":{pan},"tilt":{tilt},"zoom":{zoom}}}"#);
        Ok(())
    }

    async fn stop(&self, _profile: &str, _pan_tilt: bool, _zoom: bool) -> Result<(), OnvifError> {
        println!(r#"{{"event":"stopped"}}"#);
        Ok(())
    }

    async fn get_status(&self, _profile: &str) -> Result<PTZStatusResult, OnvifError> {
        Ok(PTZStatusResult { pan_tilt_moving: false, zoom_moving: false })
    }
}

#[async_trait]
impl ImagingService for Camera {
    async fn get_imaging_settings(&self, _source: String) -> Result<ImagingSettings, OnvifError> {
        Ok(ImagingSettings { brightness: Some(50.0), ..Default::default() })
    }
}

#[async_trait]
impl EventService for Camera {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let base = format!("http://127.0.0.1:{port}");
    let camera = Camera { base: Arc::new(base.clone()) };
    let server = OnvifServer::builder()
        .port(port)
        .advertised_host("127.0.0.1")
        .auth("admin", "admin")
        .device_service(camera.clone())
        .media_service(camera.clone())
        .ptz_service(camera.clone())
        .imaging_service(camera.clone())
        .event_service(camera)
        .build()?;
    let router =
        server.into_router()?.route("/snapshot.jpg", axum::routing::get(|| async { b"\xff\xd8\xff\xd9".to_vec() }));
    println!(r#"{{"event":"listening","url":"{base}/onvif/device_service","user":"admin","password":"admin"}}"#);
    tokio::select! {
        done = axum::serve(listener, router) => done?,
        done = async { tokio::io::stdin().read_to_end(&mut Vec::new()).await } => { done?; }
    }
    Ok(())
}
