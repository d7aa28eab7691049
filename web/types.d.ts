// What the API answers (/api/v1), as far as the pages use it. Times are Unix milliseconds.

type Role = 'viewer' | 'operator' | 'administrator';

interface SessionView {
  user: { id: string; email: string; name: string; role: Role; instance: boolean } | null;
  organisation: { id: string; name: string };
  role: Role;
  instance: boolean;
  csrf: string | null;
}

interface List<T> {
  items: T[];
  next: string | null;
}

interface TunnelView {
  source: string;
  form: string;
  since_ms: number;
  silent_ms: number;
  rtt_us: number | null;
  bytes_read: number;
  bytes_written: number;
  streams_opened: number;
  open_streams: number;
  draining: boolean;
}

interface PastTunnel {
  at: number;
  source: string;
  form: string | null;
  lasted_ms: number;
  bytes_read: number;
  bytes_written: number;
  reason: string;
}

interface CredentialView {
  id: string;
  kind: 'key' | 'token' | 'name';
  fingerprint: string | null;
  authority: string | null;
  name: string | null;
  origin: string;
  expires: number | null;
  created: number;
}

interface DeviceView {
  id: string;
  name: string;
  status: 'online' | 'offline' | 'revoked';
  reason: string | null;
  created: number;
  credentials: CredentialView[];
  revoked: boolean;
  online: boolean;
  tunnels: TunnelView[];
  last_close: { reason: string; ago_ms: number } | null;
  history: PastTunnel[];
  attempts: number;
  alarms: number;
}

interface DeviceEvent {
  id: string;
  name: string;
  status: DeviceView['status'] | 'removed';
  reason: string | null;
  at: number;
}

interface FeedMessage {
  topic: string;
  utc_time: string;
  time: number;
  operation: 'Initialized' | 'Changed' | 'Deleted' | null;
  source: Record<string, string>;
  key: Record<string, string>;
  data: Record<string, string>;
  elements: { name: string; xml: string }[];
  cut: boolean;
}

interface FeedGap {
  from: number;
  to: number;
  reason: 'not_kept' | 'answer_lost' | 'begin_of_buffer' | 'seek_refused' | 'too_long' | 'unreadable';
}

type FeedItem = { number: number; came: number } & (({ kind: 'event' | 'state' } & FeedMessage) | ({ kind: 'gap' } & FeedGap));

interface PropertyView {
  came: number;
  message: FeedMessage;
}

interface FeedView {
  state: 'running' | 'beginning' | 'failing' | 'offline' | 'unsupported' | 'off';
  reason: string | null;
  keeps: boolean | null;
  newest: number;
  heard: number | null;
  properties: PropertyView[];
}

interface UplinkView {
  remote_address: string;
  status: string | null;
  user_level: string[];
  error: string | null;
}

interface InformationView {
  information: Record<'manufacturer' | 'model' | 'firmware_version' | 'serial_number' | 'hardware_id', string>;
  uplinks: UplinkView[] | null;
  at: number;
}

interface UserView {
  id: string;
  email: string;
  name: string;
  role: Role;
  instance: boolean;
  disabled: boolean;
  has_password: boolean;
  created: number;
}

interface LoginSession {
  id: string;
  created: number;
  expires: number;
  address: string;
  agent: string;
  current: boolean;
}

interface AccessKeyView {
  id: string;
  user: string;
  device: string;
  name: string;
  role: Role;
  created: number;
  expires: number | null;
}

interface MadeAccessKey {
  id: string;
  username: string;
  password: string;
  url: string;
  host: string | null;
}

interface TokenView {
  id: string;
  name: string;
  role: Role;
  instance: boolean;
  devices: string[] | null;
  created: number;
  expires: number | null;
}

interface AuditRow {
  id: string;
  at: number;
  actor: string;
  action: string;
  target: string;
  address: string;
  detail: string;
}

interface EnrolmentView {
  id: string;
  name: string;
  uses: number;
  used: number;
  devices: string[];
  created: number;
  expires: number;
}

interface OrganisationView {
  id: string;
  name: string;
  created: number;
  suspended: boolean;
  limits: Record<string, number | null>;
  usage?: Record<string, number>;
}

interface AuthorityView {
  id: string;
  kind: 'device' | 'external';
  identity: 'common_name' | 'serial_number' | null;
  certificate: string;
  created: number;
}
