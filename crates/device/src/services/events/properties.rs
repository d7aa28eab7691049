//! Which topics there are, and how to choose among them (Core §9.7).

use super::Call;
use oriel_onvif::events::content::ITEM_FILTER;
use oriel_onvif::events::expression::{CONCRETE, CONCRETE_SET};
use oriel_onvif::events::{GetEventProperties, GetEventPropertiesResponse};
use oriel_soap::{Fault, With};

/// Where ONVIF's topics are described.
const TOPICS: &str = "http://www.onvif.org/onvif/ver10/topics/topicns.xml";
/// Where the types of items are described.
const SCHEMA: &str = "http://www.onvif.org/onvif/ver10/schema/onvif.xsd";

pub(super) async fn get_event_properties(
    call: Call,
    _: GetEventProperties,
) -> Result<GetEventPropertiesResponse, Fault> {
    let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Ok(GetEventPropertiesResponse::with(|response| {
        response.topic_namespace_location = list(&[TOPICS]);
        // Sources come and go with what the device finds at its start, and with who feeds it.
        response.fixed_topic_set = false;
        response.topic_set = call.shared.events.topic_set();
        response.topic_expression_dialect = list(&[CONCRETE, CONCRETE_SET]);
        response.message_content_filter_dialect = list(&[ITEM_FILTER]);
        response.message_content_schema_location = list(&[SCHEMA]);
    }))
}
