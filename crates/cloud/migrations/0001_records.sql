-- One dialect for SQLite and PostgreSQL: text, bigint and bytea-free. Times are Unix milliseconds, switches are 0 or 1, what is sealed is base64.

create table meta (
    key text primary key,
    value text not null
);

create table organisations (
    id text primary key,
    name text not null,
    suspended bigint not null,
    limits text not null,
    created bigint not null
);

create table users (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    email text not null unique,
    name text not null,
    role text not null,
    instance bigint not null,
    disabled bigint not null,
    password text,
    created bigint not null
);

create table sessions (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    holder text not null references users (id) on delete cascade,
    hash text not null unique,
    address text not null,
    agent text not null,
    created bigint not null,
    expires bigint not null
);

-- One-time links: the first administrator's, invitations, resets of passwords.
create table links (
    hash text primary key,
    organisation text not null references organisations (id) on delete cascade,
    holder text references users (id) on delete cascade,
    kind text not null,
    expires bigint
);

create table devices (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    name text not null,
    revoked bigint not null,
    created bigint not null
);

-- What a device shows to be let in: a key (value: fingerprint), an access token (value: hash), or a name certified by a pinned authority.
create table credentials (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    device text not null references devices (id) on delete cascade,
    kind text not null,
    origin text not null,
    authority text not null,
    value text not null,
    expires bigint,
    anchors text,
    created bigint not null,
    unique (kind, authority, value)
);

create table authorities (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    kind text not null,
    identity text not null,
    certificate text not null,
    sealed text,
    created bigint not null
);

create table tokens (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    holder text references users (id) on delete cascade,
    name text not null,
    hash text not null unique,
    role text not null,
    instance bigint not null,
    devices text,
    created bigint not null,
    expires bigint
);

create table access_keys (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    holder text not null references users (id) on delete cascade,
    device text not null references devices (id) on delete cascade,
    name text not null,
    role text not null,
    sealed text not null,
    created bigint not null,
    expires bigint
);

create table enrolments (
    id text primary key,
    organisation text not null references organisations (id) on delete cascade,
    hash text not null unique,
    name text not null,
    -- How many devices it lets in, and how many it has let in: one that was removed has been let in all the same.
    uses bigint not null,
    used bigint not null,
    created bigint not null,
    expires bigint not null
);

-- What came of a code: each key with its device.
create table enrolment_uses (
    enrolment text not null references enrolments (id) on delete cascade,
    fingerprint text not null,
    device text not null references devices (id) on delete cascade,
    primary key (enrolment, fingerprint)
);

-- Answers to requests with an Idempotency-Key, for a day.
create table answers (
    organisation text not null references organisations (id) on delete cascade,
    caller text not null,
    key text not null,
    request text not null,
    status bigint not null,
    body text not null,
    created bigint not null,
    primary key (organisation, caller, key)
);
create index answers_created on answers (created);

-- Kept when what it speaks of is gone. Ids ascend with time.
create table audit (
    id text primary key,
    organisation text not null,
    at bigint not null,
    actor text not null,
    address text not null,
    action text not null,
    target text not null,
    detail text not null
);
create index audit_organisation on audit (organisation, id);
create index audit_target on audit (organisation, target, id);
create index audit_action on audit (organisation, action, id);
create index audit_actor on audit (organisation, actor, id);

create index users_organisation on users (organisation);
create index sessions_organisation on sessions (organisation);
create index sessions_holder on sessions (holder);
create index devices_organisation on devices (organisation);
create index credentials_organisation on credentials (organisation);
create index credentials_device on credentials (device);
create index authorities_organisation on authorities (organisation);
create index tokens_organisation on tokens (organisation);
create index access_keys_organisation on access_keys (organisation);
create index access_keys_device on access_keys (device);
create index enrolments_organisation on enrolments (organisation);
create index enrolment_uses_device on enrolment_uses (device);
