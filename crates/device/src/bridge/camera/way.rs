//! The way to the camera: as whom it is asked, by how many at a time, for how long; and what of its answers is worth remembering.

use super::contact::Breaker;
use super::known::Known;
use super::logins::Logins;
use super::refusal::Language;
use super::{Common, Contact};
use crate::bridge::{Believe, CameraEntry};
use crate::device::DeviceError;
use crate::store::{self, Role};
use http::{Request, Response, StatusCode};
use oriel_client::TransportError;
use oriel_client::camera::{Account, Camera, Reach};
use oriel_client::quirks::{Profile, Quirks};
use oriel_soap::envelope::Headers;
use oriel_soap::{Level, Levels};
use oriel_trust::Validation;
use oriel_uplink::Body;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

/// How long a request waits for others to finish.
const ROOM: Duration = Duration::from_secs(10);
/// How many wait at most; each holds an envelope.
const WAITING: usize = 32;
/// After so many requests in a row that were taken and not answered, the camera counts as silent.
const UNANSWERED: u32 = 3;

/// How long a request may hold its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An answer that comes at once.
    Soon,
    /// One that is waited for, or streams: PullMessages, snapshots, uploads.
    Long,
}

/// Why there is no answer of the camera.
#[derive(Debug)]
pub(super) enum Failure {
    /// A moment ago it did not answer, for this reason.
    Silent(Arc<str>),
    /// Others are being answered.
    Busy,
    /// The camera refused this account not long ago.
    ShutOut(String),
    /// It was asked.
    Transport(TransportError),
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::Transport(error)
    }
}

/// Places for requests under way.
struct Room {
    all: Arc<Semaphore>,
    /// Fewer than all, so that there are always some for answers that come at once.
    long: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Room {
    fn new(places: u16) -> Arc<Self> {
        let all = usize::from(places).max(1);
        let long = (all - all / 3).min(all - 1).max(1);
        let semaphore = |places| Arc::new(Semaphore::new(places));
        Arc::new(Self { all: semaphore(all), long: semaphore(long), waiting: AtomicUsize::new(0) })
    }

    /// A place, or two for what holds it long.
    async fn take(&self, kind: Kind) -> Result<Permit, Failure> {
        if self.waiting.load(Relaxed) >= WAITING {
            return Err(Failure::Busy);
        }
        let _waits = Waits::new(&self.waiting);
        let taken = async {
            let long = match kind {
                Kind::Long => Some(Arc::clone(&self.long).acquire_owned().await),
                Kind::Soon => None,
            };
            (long.transpose(), Arc::clone(&self.all).acquire_owned().await)
        };
        match tokio::time::timeout(ROOM, taken).await {
            Ok((Ok(long), Ok(one))) => Ok(Permit { _long: long, _one: one }),
            _ => Err(Failure::Busy),
        }
    }
}

/// One who waits, counted.
struct Waits<'r>(&'r AtomicUsize);

impl<'r> Waits<'r> {
    fn new(count: &'r AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A place, held until the answer is through.
pub(super) struct Permit {
    _long: Option<OwnedSemaphorePermit>,
    _one: OwnedSemaphorePermit,
}

/// The camera as it is to be reached at present.
pub(super) struct Current {
    pub(super) entry: Arc<CameraEntry>,
    pub(super) camera: Arc<Camera>,
    room: Arc<Room>,
    /// The kind that it is by what it says of itself, where the entry names none.
    kind: Option<&'static Profile>,
}

impl Current {
    fn new(entry: CameraEntry, kind: Option<&'static Profile>, common: &Common) -> Result<Self, DeviceError> {
        let bad = |problem: String| DeviceError::Camera { name: entry.name.clone(), problem };
        let quirks = match &entry.quirks {
            None => kind.map_or_else(Quirks::default, |kind| kind.quirks.clone()),
            Some(name) => match Profile::named(name) {
                Some(profile) => profile.quirks.clone(),
                None => return Err(bad(format!("there is no quirk profile {name:?}"))),
            },
        };
        let room = Room::new(quirks.connections);
        let tls = (entry.address.scheme() == "https").then(|| common.tls(&validation(&entry.believe))).transpose();
        let tls = tls.map_err(|error| bad(error.to_string()))?;
        let camera = Camera::new(Reach { address: entry.address.clone(), tls, quirks });
        let camera = Arc::new(camera.map_err(|error| bad(error.to_string()))?);
        Ok(Self { entry: Arc::new(entry), camera, room, kind })
    }

    /// The account for a caller who may do this much: the one of that level, else the next higher one, for the bridge itself sees to it that no more is
    /// asked; else the highest there is.
    pub(super) fn account(&self, levels: Levels) -> Option<Account> {
        let wanted = levels.iter().last().filter(|level| *level != Level::Anonymous)?;
        let rank = |level: Level| Level::ALL.iter().position(|one| *one == level);
        let ranked = |role: Role| rank(Level::from(role));
        let accounts = &self.entry.accounts;
        let enough = accounts.iter().filter(|account| ranked(account.level) >= rank(wanted));
        let chosen = enough.min_by_key(|account| ranked(account.level));
        let chosen = chosen.or_else(|| accounts.iter().max_by_key(|account| ranked(account.level)))?;
        Some(Account { user: chosen.name.clone(), password: chosen.password.reveal().to_owned() })
    }
}

fn validation(believe: &Believe) -> Validation {
    match believe {
        Believe::System => Validation::SystemRoots,
        Believe::Policy(policy) => Validation::Policy(policy.clone()),
        Believe::Insecure => Validation::Insecure,
    }
}

/// The way to one camera.
pub(super) struct Way {
    current: Mutex<Arc<Current>>,
    known: Mutex<Known>,
    breaker: Mutex<Breaker>,
    logins: Mutex<Logins>,
    /// How many in a row were not answered in time.
    unanswered: AtomicU32,
    contact: watch::Sender<Contact>,
}

/// A SOAP request that may pass.
pub(super) struct Question<'q> {
    /// Path and query at the camera.
    pub(super) target: &'q str,
    pub(super) action: Option<&'q str>,
    /// Makes the envelope with these headers besides its own.
    pub(super) write: &'q (dyn Fn(&Headers) -> Vec<u8> + Send + Sync),
    pub(super) account: Option<&'q Account>,
    /// It needs none: one that is refused is left out.
    pub(super) is_for_all: bool,
    pub(super) kind: Kind,
    /// How long the answer's head is waited for.
    pub(super) answer: Duration,
}

impl Way {
    pub(super) fn new(entry: CameraEntry, common: &Common) -> Result<Self, DeviceError> {
        Ok(Self {
            current: Mutex::new(Arc::new(Current::new(entry, None, common)?)),
            known: Mutex::default(),
            breaker: Mutex::default(),
            logins: Mutex::default(),
            unanswered: AtomicU32::new(0),
            contact: watch::Sender::default(),
        })
    }

    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&lock(&self.current))
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Contact> {
        self.contact.subscribe()
    }

    /// Asks otherwise from now on.
    pub(super) fn change(&self, entry: CameraEntry, common: &Common) -> Result<(), DeviceError> {
        let before = self.current();
        if *before.entry == entry {
            return Ok(());
        }
        let same_way = before.entry.believe == entry.believe
            && before.entry.quirks == entry.quirks
            && before.entry.address == entry.address;
        let after = if same_way {
            // Accounts are named with each request, so that a new password counts from the next one on.
            let (camera, room) = (Arc::clone(&before.camera), Arc::clone(&before.room));
            Current { entry: Arc::new(entry), camera, room, kind: before.kind }
        } else {
            let new = Current::new(entry, before.kind, common)?;
            // Whoever is under way still holds its place: one camera is not asked by twice as many.
            if before.entry.quirks == new.entry.quirks {
                Current { room: Arc::clone(&before.room), ..new }
            } else {
                new
            }
        };
        *lock(&self.current) = Arc::new(after);
        lock(&self.breaker).answered();
        *lock(&self.logins) = Logins::default();
        Ok(())
    }

    /// The camera does not take this account, or not for this.
    pub(super) fn refused(&self, account: Option<&Account>) {
        self.note(account, |logins, user| logins.refused(user, Language::Soap, Instant::now()));
    }

    /// The camera did for this account what it does not do for everybody.
    pub(super) fn taken(&self, account: Option<&Account>) {
        self.note(account, |logins, user| logins.taken(user, Language::Soap));
    }

    /// Of an account that was changed meanwhile, nothing is learnt.
    fn note(&self, account: Option<&Account>, learnt: impl FnOnce(&mut Logins, &str)) {
        let Some(account) = account else { return };
        let mut logins = lock(&self.logins);
        let current = self.current();
        let is_it = |one: &store::Account| one.name == account.user && one.password.reveal() == account.password;
        if current.entry.accounts.iter().any(is_it) {
            learnt(&mut logins, &account.user);
        }
    }

    /// Whether the account may be shown.
    fn shows(&self, account: Option<&Account>, language: Language) -> Result<(), Failure> {
        let Some(account) = account else { return Ok(()) };
        let admitted = lock(&self.logins).admit(&account.user, language, Instant::now());
        if admitted { Ok(()) } else { Err(Failure::ShutOut(account.user.clone())) }
    }

    /// The camera says of itself that it is of this kind, by which it is asked from now on unless the entry says another one.
    pub(super) fn is_of_kind(&self, kind: &'static Profile, common: &Common) {
        let before = self.current();
        if before.entry.quirks.is_some() || before.kind.is_some_and(|known| known.name == kind.name) {
            return;
        }
        match Current::new(CameraEntry::clone(&before.entry), Some(kind), common) {
            Ok(after) => {
                tracing::info!(camera = before.entry.name, kind = kind.name, "the camera is of a kind with oddities");
                *lock(&self.current) = Arc::new(after);
            }
            Err(error) => tracing::warn!(%error, "a kind of cameras cannot be used"),
        }
    }

    /// Asks by SOAP.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<(Response<Body>, Permit), Failure> {
        let current = self.current();
        let permit = self.admitted(&current, question.kind).await?;
        let Question { target, action, write, mut account, is_for_all, answer, .. } = *question;
        match self.shows(account, Language::Soap) {
            Err(_) if is_for_all => account = None,
            shows => shows?,
        }
        let answered = current.camera.ask(target, action, write, account, answer).await;
        let response = self.judge(&current, answered)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            self.refused(account);
        }
        Ok((response, permit))
    }

    /// Asks for anything else.
    pub(super) async fn fetch(
        &self,
        request: Request<Body>,
        account: Option<&Account>,
        answer: Duration,
    ) -> Result<(Response<Body>, Permit), Failure> {
        let current = self.current();
        let permit = self.admitted(&current, Kind::Long).await?;
        self.shows(account, Language::Plain)?;
        let answered = current.camera.fetch(request, account, answer).await;
        let response = self.judge(&current, answered)?;
        let status = response.status();
        self.note(account, |logins, user| match status {
            StatusCode::UNAUTHORIZED => logins.refused(user, Language::Plain, Instant::now()),
            status if status.is_success() => logins.taken(user, Language::Plain),
            _ => {}
        });
        Ok((response, permit))
    }

    async fn admitted(&self, current: &Current, kind: Kind) -> Result<Permit, Failure> {
        // Nobody waits for a place at a camera that does not answer; and who has to wait is not the one who tries it.
        lock(&self.breaker).spares(Instant::now()).map_err(Failure::Silent)?;
        let permit = current.room.take(kind).await?;
        lock(&self.breaker).admit(Instant::now()).map_err(Failure::Silent)?;
        Ok(permit)
    }

    /// What an answer says about the camera, or that there was none.
    fn judge(
        &self,
        current: &Arc<Current>,
        answered: Result<Response<Body>, TransportError>,
    ) -> Result<Response<Body>, Failure> {
        let error = match answered {
            Ok(response) => {
                self.unanswered.store(0, Relaxed);
                lock(&self.breaker).answered();
                self.tell(current, Contact::Answers);
                return Ok(response);
            }
            Err(error) => error,
        };
        // A camera that breaks off at one operation answers the others: what one caller can bring about must not silence it for all.
        let in_a_row = if matches!(error, TransportError::Timeout("HTTP") | TransportError::Http(_)) {
            self.unanswered.fetch_add(1, Relaxed) + 1
        } else {
            UNANSWERED
        };
        // What only this request got wrong says nothing about the camera.
        let silent = !matches!(error, TransportError::Address(_) | TransportError::Body(_));
        if silent && in_a_row >= UNANSWERED {
            let why: Arc<str> = error.to_string().into();
            lock(&self.breaker).failed(Instant::now(), Arc::clone(&why));
            // Perhaps it restarts: whatever was learnt of it may not hold any more.
            current.camera.forget();
            self.tell(current, Contact::Silent(why));
        }
        Err(error.into())
    }

    /// Nobody is told twice, nor of a camera that is asked otherwise by now.
    fn tell(&self, asked: &Arc<Current>, contact: Contact) {
        if !Arc::ptr_eq(asked, &self.current()) {
            return;
        }
        self.contact.send_if_modified(|before| {
            let news = *before != contact;
            if news {
                *before = contact;
            }
            news
        });
    }
}

/// What is in there is replaced as a whole, so that a panic leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn current(levels: &[Role]) -> Current {
        let account = |level: &Role| store::Account {
            name: level.name().to_owned(),
            password: store::Secret::new("a secret 7!"),
            level: *level,
        };
        let mut entry = CameraEntry::new("cam", "http://127.0.0.1:9/onvif/device_service".parse().unwrap());
        entry.accounts = levels.iter().map(account).collect();
        Current::new(entry, None, &Common::default()).unwrap()
    }

    #[test]
    fn a_kind_is_learnt_from_the_camera_unless_the_entry_names_one() {
        let common = Common::default();
        let entry = CameraEntry::new("cam", "http://127.0.0.1:9/onvif/device_service".parse().unwrap());
        let kind = |name| Profile::named(name).unwrap();
        let way = Way::new(entry.clone(), &common).unwrap();
        let places = |way: &Way| way.current().room.all.available_permits();
        assert_eq!(places(&way), usize::from(Quirks::default().connections));
        way.is_of_kind(kind("one-at-a-time"), &common);
        assert_eq!(places(&way), 1);
        way.change(CameraEntry { endpoint: Some("urn:uuid:1".to_owned()), ..entry.clone() }, &common).unwrap();
        assert_eq!(places(&way), 1, "it is still that camera");
        let named = CameraEntry { quirks: Some("digest".to_owned()), ..entry };
        let way = Way::new(named, &common).unwrap();
        way.is_of_kind(kind("one-at-a-time"), &common);
        assert!(places(&way) > 1, "whoever named it knows better");
    }

    #[test]
    fn the_account_is_that_of_the_callers_level_or_the_next_higher_one() {
        let all = current(&[Role::Administrator, Role::Operator, Role::User]);
        let some = current(&[Role::Administrator, Role::User]);
        let few = current(&[Role::Operator]);
        let user = |current: &Current, levels: &str| current.account(levels.parse().unwrap()).map(|found| found.user);
        for (levels, of_all, of_some) in [
            ("User", "User", "User"),
            ("Operator", "Operator", "Administrator"),
            ("Administrator", "Administrator", "Administrator"),
            ("User Operator", "Operator", "Administrator"),
        ] {
            assert_eq!(user(&all, levels).as_deref(), Some(of_all), "{levels}");
            assert_eq!(user(&some, levels).as_deref(), Some(of_some), "{levels}");
            assert_eq!(user(&few, levels).as_deref(), Some("Operator"), "{levels}");
        }
        assert_eq!(user(&all, "Anonymous"), None);
        assert_eq!(user(&current(&[]), "User"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_leaves_room_for_what_does_not() {
        let room = Room::new(6);
        let mut long = Vec::new();
        for _ in 0..4 {
            long.push(room.take(Kind::Long).await.unwrap());
        }
        assert!(matches!(room.take(Kind::Long).await, Err(Failure::Busy)));
        let soon = room.take(Kind::Soon).await.unwrap();
        let _other = room.take(Kind::Soon).await.unwrap();
        assert!(matches!(room.take(Kind::Soon).await, Err(Failure::Busy)), "all are taken");
        drop(soon);
        room.take(Kind::Soon).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_camera_that_takes_one_at_a_time_is_asked_by_one_and_few_wait() {
        let room = Room::new(1);
        let held = room.take(Kind::Long).await.unwrap();
        let waiting: Vec<_> = (0..100).map(|_| room.take(Kind::Soon)).collect();
        let all = futures(waiting).await;
        assert!(all.iter().all(|taken| matches!(taken, Err(Failure::Busy))));
        drop(held);
        room.take(Kind::Soon).await.unwrap();
        assert_eq!(room.waiting.load(Relaxed), 0);
    }

    async fn futures<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
        let mut futures: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
        std::future::poll_fn(|context| {
            for (future, done) in &mut futures {
                if done.is_none()
                    && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
                {
                    *done = Some(value);
                }
            }
            if futures.iter().all(|(_, done)| done.is_some()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
        futures.into_iter().filter_map(|(_, done)| done).collect()
    }
}
