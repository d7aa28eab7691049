//! What is on its way to a broker, across connections (MQTT 3.1.1 §4.3, §4.4, §3.1.2.10). Pure: takes `now`, and appends what is to be sent.
//!
//! ```text
//!   QoS 0   publish ─► done
//!   QoS 1   publish ─► PUBACK ─► done
//!   QoS 2   publish ─► PUBREC ─► PUBREL ─► PUBCOMP ─► done
//!
//!   connection lost: what is not done stays, in its order. CONNACK: the broker knows us: the same again, marked as such;
//!                    it does not: what it never acknowledged is published anew
//!
//! the first CONNACK says that the broker knows us, from a life before this one: it may hold ids of messages that nobody remembers, and would take
//!                    new ones with these ids for them (§4.3.3): DISCONNECT, once with a clean session, DISCONNECT, and then as always
//! ```

use super::packet::{self, Connect, Heard, Publish, Qos, Strange};
use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::Duration;

/// Seconds of silence after which the broker may hang up, and half as much again.
pub(super) const KEEP_ALIVE: u16 = 60;
/// Ask whether the broker is alive after so much silence from it.
const ASK_AFTER: Duration = Duration::from_secs(20);
/// A broker that says nothing for so long after it was asked is gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// A broker has so long to answer to CONNECT.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Most messages that are on their way at once; the others wait in the queue of the subscription.
pub(super) const WINDOW: usize = 16;

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Broken {
    /// The broker answered CONNECT with a refusal.
    #[error("the broker refuses this device: {}", refusal(*.0))]
    Refused(u8),
    /// It does not answer.
    #[error("the broker does not answer")]
    Silent,
    /// It does not speak MQTT as it should.
    #[error(transparent)]
    Strange(#[from] Strange),
    /// An answer to nothing.
    #[error("the broker answers what was not asked")]
    Unasked,
    /// It has to forget a life before this one: connect again at once. DISCONNECT is to be sent before.
    #[error("the broker remembers an earlier life of this device")]
    Again,
}

/// The codes of MQTT 3.1.1 §3.2.2.3.
fn refusal(code: u8) -> &'static str {
    match code {
        1 => "it does not speak MQTT 3.1.1",
        2 => "it does not take the client's id",
        3 => "it is unavailable",
        4 => "user name or password is wrong",
        5 => "it is not authorised",
        _ => "it gives no reason that is known",
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Sent on this connection, not acknowledged.
    Published,
    /// PUBREC has come: it is at the broker.
    Received,
}

#[derive(Debug, Clone)]
struct OnItsWay {
    id: u16,
    step: Step,
    message: Publish,
}

/// One connection's state.
#[derive(Debug, Clone, Copy)]
struct Open {
    /// CONNACK has come.
    accepted: bool,
    /// When something came last.
    heard: Duration,
    /// When it was asked whether it is alive.
    asked: Option<Duration>,
}

/// What the broker may remember of this client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// It has not said yet.
    Unknown,
    /// Something of a life before this one.
    Another,
    /// What this session told it.
    Own,
}

/// What is on its way to one broker.
#[derive(Debug)]
pub(super) struct Session {
    qos: Qos,
    memory: Memory,
    on_their_way: VecDeque<OnItsWay>,
    last_id: u16,
    open: Option<Open>,
}

impl Session {
    pub(super) fn new(qos: Qos) -> Self {
        Self { qos, memory: Memory::Unknown, on_their_way: VecDeque::new(), last_id: 0, open: None }
    }

    /// A connection is open: what to send first.
    pub(super) fn open(&mut self, now: Duration, who: &Connect<'_>, out: &mut BytesMut) {
        self.open = Some(Open { accepted: false, heard: now, asked: None });
        // Only what is acknowledged needs a broker that remembers.
        let clean = self.qos == Qos::AtMostOnce || self.memory == Memory::Another;
        packet::connect(out, &Connect { clean, ..who.clone() });
    }

    /// The connection is over.
    pub(super) fn close(&mut self) {
        self.open = None;
    }

    /// Whether the broker took us in.
    pub(super) fn accepted(&self) -> bool {
        self.open.is_some_and(|open| open.accepted)
    }

    /// Whether another message may be published now.
    pub(super) fn has_room(&self) -> bool {
        self.accepted() && self.on_their_way.len() < WINDOW
    }

    /// How many messages are not acknowledged.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.on_their_way.len()
    }

    /// Publishes a message. Call it when there is room.
    pub(super) fn publish(&mut self, message: Publish, out: &mut BytesMut) {
        if self.qos == Qos::AtMostOnce {
            return packet::publish(out, &message, self.qos, 0, false);
        }
        let id = self.free_id();
        packet::publish(out, &message, self.qos, id, false);
        self.on_their_way.push_back(OnItsWay { id, step: Step::Published, message });
    }

    /// 0 is no id (§2.3.1); there are always fewer on their way than there are ids.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.wrapping_add(1).max(1);
            if self.on_their_way.iter().all(|other| other.id != self.last_id) {
                return self.last_id;
            }
        }
    }

    /// Something came.
    ///
    /// # Errors
    /// The connection is over.
    pub(super) fn hear(&mut self, now: Duration, heard: Heard, out: &mut BytesMut) -> Result<(), Broken> {
        let open = self.open.as_mut().ok_or(Broken::Unasked)?;
        (open.heard, open.asked) = (now, None);
        match heard {
            Heard::Connack { .. } if open.accepted => return Err(Broken::Unasked),
            Heard::Connack { session, code: 0 } => {
                let memory = std::mem::replace(&mut self.memory, Memory::Own);
                if memory == Memory::Unknown && session && self.qos != Qos::AtMostOnce {
                    self.memory = Memory::Another;
                }
                if memory == Memory::Another || self.memory == Memory::Another {
                    packet::disconnect(out);
                    return Err(Broken::Again);
                }
                open.accepted = true;
                self.repeat(session, out);
            }
            Heard::Connack { code, .. } => return Err(Broken::Refused(code)),
            _ if !open.accepted => return Err(Broken::Unasked),
            Heard::Pingresp => {}
            Heard::Puback(id) if self.qos == Qos::AtLeastOnce => self.done(id),
            Heard::Pubrec(id) if self.qos == Qos::ExactlyOnce => {
                if let Some(known) = self.on_their_way.iter_mut().find(|known| known.id == id) {
                    known.step = Step::Received;
                    known.message.payload = Vec::new();
                }
                // Also for one that is not known any more: the broker waits for it (§4.3.3).
                packet::pubrel(out, id);
            }
            Heard::Pubcomp(id) if self.qos == Qos::ExactlyOnce => self.done(id),
            Heard::Puback(_) | Heard::Pubrec(_) | Heard::Pubcomp(_) => return Err(Broken::Unasked),
        }
        Ok(())
    }

    fn done(&mut self, id: u16) {
        self.on_their_way.retain(|known| known.id != id);
    }

    /// What was not done when the last connection ended (§4.4). A broker that does not know us has what it acknowledged, and not the rest.
    fn repeat(&mut self, known: bool, out: &mut BytesMut) {
        if !known {
            self.on_their_way.retain(|message| message.step == Step::Published);
        }
        for message in &self.on_their_way {
            match message.step {
                Step::Published => packet::publish(out, &message.message, self.qos, message.id, known),
                Step::Received => packet::pubrel(out, message.id),
            }
        }
    }

    /// What the time asks for, and until when there is nothing more to do.
    ///
    /// # Errors
    /// The broker is silent.
    pub(super) fn poll(&mut self, now: Duration, out: &mut BytesMut) -> Result<Duration, Broken> {
        let Some(open) = &mut self.open else { return Ok(now + ASK_AFTER) };
        if !open.accepted {
            let until = open.heard + CONNECT_WITHIN;
            return if now < until { Ok(until) } else { Err(Broken::Silent) };
        }
        if let Some(asked) = open.asked {
            let until = asked + ANSWER_WITHIN;
            return if now < until { Ok(until) } else { Err(Broken::Silent) };
        }
        let ask = open.heard + ASK_AFTER;
        if now < ask {
            return Ok(ask);
        }
        packet::pingreq(out);
        open.asked = Some(now);
        Ok(now + ANSWER_WITHIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHO: Connect<'static> =
        Connect { client: "c", clean: false, keep_alive: KEEP_ALIVE, user: None, password: None };
    const YES: Heard = Heard::Connack { session: false, code: 0 };
    const KNOWN: Heard = Heard::Connack { session: true, code: 0 };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn message(text: &str) -> Publish {
        Publish { topic: "t".into(), payload: text.as_bytes().to_vec(), retain: false }
    }

    fn hear(session: &mut Session, heard: Heard) -> Vec<u8> {
        let mut out = BytesMut::new();
        session.hear(seconds(1), heard, &mut out).unwrap();
        out.to_vec()
    }

    fn publish(session: &mut Session, text: &str) -> Vec<u8> {
        let mut out = BytesMut::new();
        session.publish(message(text), &mut out);
        out.to_vec()
    }

    fn open(session: &mut Session) {
        session.open(seconds(0), &WHO, &mut BytesMut::new());
    }

    fn opened(qos: Qos) -> Session {
        let mut session = Session::new(qos);
        open(&mut session);
        assert_eq!(hear(&mut session, YES), b"");
        session
    }

    /// Connects: the flags of CONNECT, and what the answer leads to.
    fn connect(session: &mut Session, answer: Heard) -> (u8, Result<(), Broken>, Vec<u8>) {
        let mut out = BytesMut::new();
        session.open(seconds(0), &WHO, &mut out);
        let flags = out[9];
        out.clear();
        (flags, session.hear(seconds(1), answer, &mut out), out.to_vec())
    }

    #[test]
    fn a_life_before_this_one_is_forgotten_before_anything_is_published() {
        const DISCONNECT: &[u8] = b"\xe0\0";
        for qos in [Qos::AtLeastOnce, Qos::ExactlyOnce] {
            let mut session = Session::new(qos);
            assert_eq!(connect(&mut session, KNOWN), (0, Err(Broken::Again), DISCONNECT.to_vec()));
            assert!(!session.has_room());
            session.close();
            // A connection that breaks before its answer changes nothing.
            open(&mut session);
            session.close();
            assert_eq!(connect(&mut session, YES), (2, Err(Broken::Again), DISCONNECT.to_vec()));
            assert!(!session.has_room());
            session.close();
            assert_eq!(connect(&mut session, YES), (0, Ok(()), Vec::new()));
            publish(&mut session, "a");
            session.close();
            // From now on it is this session that the broker knows.
            let (flags, heard, again) = connect(&mut session, KNOWN);
            assert_eq!((flags, heard, again.len()), (0, Ok(()), 8));
        }
    }

    #[test]
    fn a_broker_that_never_forgets_is_asked_once() {
        let mut session = Session::new(Qos::ExactlyOnce);
        for result in [Err(Broken::Again), Err(Broken::Again), Ok(())] {
            assert_eq!(connect(&mut session, KNOWN).1, result);
            session.close();
        }
        let mut session = Session::new(Qos::AtMostOnce);
        assert_eq!(connect(&mut session, KNOWN), (2, Ok(()), Vec::new()), "it was clean already");
    }

    #[test]
    fn nothing_is_published_before_the_broker_took_us_in() {
        let mut session = Session::new(Qos::AtMostOnce);
        assert!(!session.has_room());
        open(&mut session);
        assert!(!session.has_room() && !session.accepted());
        hear(&mut session, YES);
        assert!(session.has_room());
        session.close();
        assert!(!session.has_room());
    }

    #[test]
    fn only_what_is_acknowledged_makes_the_broker_remember() {
        for (qos, clean) in [(Qos::AtMostOnce, 2), (Qos::AtLeastOnce, 0), (Qos::ExactlyOnce, 0)] {
            let mut out = BytesMut::new();
            Session::new(qos).open(seconds(0), &WHO, &mut out);
            assert_eq!(out[9], clean, "{qos:?}");
        }
    }

    #[test]
    fn at_most_once_is_done_when_sent() {
        let mut session = opened(Qos::AtMostOnce);
        for _ in 0..100 {
            assert_eq!(publish(&mut session, "x"), b"\x30\x04\0\x01tx");
            assert!(session.has_room());
        }
        assert_eq!(session.waiting(), 0);
    }

    #[test]
    fn at_least_once_is_done_when_acknowledged_and_few_are_on_their_way() {
        let mut session = opened(Qos::AtLeastOnce);
        for id in 1..=WINDOW as u16 {
            assert!(session.has_room());
            publish(&mut session, "x");
            assert_eq!(session.waiting(), usize::from(id));
        }
        assert!(!session.has_room());
        hear(&mut session, Heard::Puback(3));
        assert!(session.has_room());
        // One acknowledged again changes nothing.
        hear(&mut session, Heard::Puback(3));
        assert_eq!(session.waiting(), WINDOW - 1);
    }

    #[test]
    fn exactly_once_takes_three_answers() {
        let mut session = opened(Qos::ExactlyOnce);
        assert_eq!(publish(&mut session, "x"), b"\x34\x06\0\x01t\0\x01x");
        assert_eq!(hear(&mut session, Heard::Pubrec(1)), b"\x62\x02\0\x01");
        assert_eq!(session.waiting(), 1);
        assert_eq!(hear(&mut session, Heard::Pubcomp(1)), b"");
        assert_eq!(session.waiting(), 0);
    }

    #[test]
    fn what_is_not_done_goes_on_with_a_broker_that_knows_us_in_its_order() {
        let mut session = opened(Qos::ExactlyOnce);
        for text in ["a", "b", "c"] {
            publish(&mut session, text);
        }
        hear(&mut session, Heard::Pubrec(1));
        session.close();
        open(&mut session);
        // The first is at the broker, the others are sent again, marked as such.
        assert_eq!(hear(&mut session, KNOWN), b"\x62\x02\0\x01\x3c\x06\0\x01t\0\x02b\x3c\x06\0\x01t\0\x03c");
        hear(&mut session, Heard::Pubcomp(1));
        assert_eq!(session.waiting(), 2);
    }

    #[test]
    fn a_broker_that_forgot_us_gets_what_it_did_not_acknowledge_as_new() {
        let mut session = opened(Qos::ExactlyOnce);
        publish(&mut session, "a");
        publish(&mut session, "b");
        hear(&mut session, Heard::Pubrec(1));
        session.close();
        open(&mut session);
        assert_eq!(hear(&mut session, YES), b"\x34\x06\0\x01t\0\x02b");
        assert_eq!(session.waiting(), 1);
        let mut session = opened(Qos::AtLeastOnce);
        publish(&mut session, "a");
        session.close();
        open(&mut session);
        assert_eq!(hear(&mut session, YES), b"\x32\x06\0\x01t\0\x01a");
    }

    #[test]
    fn ids_are_not_used_twice_at_a_time_and_never_zero() {
        let mut session = opened(Qos::AtLeastOnce);
        publish(&mut session, "stays");
        let mut seen = std::collections::HashSet::new();
        for _ in 0..70_000 {
            publish(&mut session, "x");
            let id = session.on_their_way.back().unwrap().id;
            assert!(id > 1, "0 is none, and 1 is taken");
            seen.insert(id);
            hear(&mut session, Heard::Puback(id));
        }
        assert_eq!(seen.len(), 65_534);
    }

    #[test]
    fn a_silent_broker_is_asked_and_then_given_up() {
        let mut session = opened(Qos::AtMostOnce);
        let mut out = BytesMut::new();
        assert_eq!(session.poll(seconds(1), &mut out), Ok(seconds(21)));
        assert!(out.is_empty());
        assert_eq!(session.poll(seconds(21), &mut out), Ok(seconds(36)));
        assert_eq!(&out[..], b"\xc0\0");
        session.hear(seconds(30), Heard::Pingresp, &mut out).unwrap();
        assert_eq!(session.poll(seconds(30), &mut out), Ok(seconds(50)));
        session.poll(seconds(50), &mut out).unwrap();
        assert_eq!(session.poll(seconds(64), &mut out), Ok(seconds(65)));
        assert_eq!(session.poll(seconds(65), &mut out), Err(Broken::Silent));
        // Before its first answer it has less time.
        open(&mut session);
        assert_eq!(session.poll(seconds(9), &mut out), Ok(CONNECT_WITHIN));
        assert_eq!(session.poll(seconds(10), &mut out), Err(Broken::Silent));
    }

    #[test]
    fn answers_to_what_was_not_asked_end_the_connection() {
        let mut out = BytesMut::new();
        let mut early = Session::new(Qos::AtLeastOnce);
        open(&mut early);
        assert_eq!(early.hear(seconds(1), Heard::Puback(1), &mut out), Err(Broken::Unasked));
        let mut wrong = opened(Qos::AtLeastOnce);
        for heard in [YES, Heard::Pubrec(1), Heard::Pubcomp(1)] {
            assert_eq!(wrong.hear(seconds(1), heard, &mut out), Err(Broken::Unasked), "{heard:?}");
        }
        let mut refused = Session::new(Qos::AtMostOnce);
        open(&mut refused);
        let no = Heard::Connack { session: false, code: 5 };
        assert_eq!(refused.hear(seconds(1), no, &mut out), Err(Broken::Refused(5)));
    }
}
