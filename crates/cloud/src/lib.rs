//! The cloud half: tunnels, registry, gateway, API.
