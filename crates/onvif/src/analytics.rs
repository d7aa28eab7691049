//! The analytics service: rules and modules (Analytics chapter 6).

use crate::ns;
use oriel_soap::operations;

operations! {
    /// The operations of both ports.
    ns::TAN =>
    // §6.2
    GetSupportedRules            ReadMedia;
    GetRules                     ReadMedia;
    CreateRules                  Actuate;
    ModifyRules                  Actuate;
    DeleteRules                  Actuate;
    GetRuleOptions               ReadMedia;
    // §6.3
    GetSupportedAnalyticsModules ReadMedia;
    GetAnalyticsModules          ReadMedia;
    CreateAnalyticsModules       Actuate;
    ModifyAnalyticsModules       Actuate;
    DeleteAnalyticsModules       Actuate;
    GetAnalyticsModuleOptions    ReadMedia;
    GetSupportedMetadata         ReadMedia;
    // §6.4
    GetServiceCapabilities       PreAuth;
}
