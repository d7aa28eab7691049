-- Where the feed of each device stands: the number of its newest entry, the bytes of all that it ever had, and what the feed itself has to remember.
create table feeds (
    device text primary key references devices (id) on delete cascade,
    organisation text not null references organisations (id) on delete cascade,
    number bigint not null,
    total bigint not null,
    memory text not null
);

-- The newest entries of each device. `total` counts the device's bytes up to this entry, so that both bounds cut off the beginning.
create table feed_entries (
    device text not null references devices (id) on delete cascade,
    number bigint not null,
    organisation text not null references organisations (id) on delete cascade,
    total bigint not null,
    came bigint not null,
    time bigint not null,
    topic text not null,
    content text not null,
    primary key (device, number)
);

-- The properties of each device as they are.
create table feed_states (
    device text not null references devices (id) on delete cascade,
    property text not null,
    organisation text not null references organisations (id) on delete cascade,
    came bigint not null,
    topic text not null,
    content text not null,
    primary key (device, property)
);

create index feeds_organisation on feeds (organisation);
